import { compareNames, relativeName } from '../codec/names.ts';
import { CODE, codeOf } from '../failures.ts';
import { readAgain } from '../restore/transient.ts';
import type { Range, Scope } from './range.ts';
import { ONCE, type Reading, readFailure } from './reading.ts';

/** More than can be read at once, so that none waits long for the slowest. */
const PARTITIONS = 24;
/** A range with fewer documents is not worth a query of its own. */
const WORTHWHILE_DOCUMENTS = 1_000;

/**
 * The scopes, in ranges of about the same size, in the order of names.
 *
 * Google partitions one collection group at a time. Any name will do as a boundary, whatever group it was found in: those
 * of all groups that are known are taken together.
 * @param groups ids of collections at any depth that are known to have documents
 * @param documents how many there are; undefined where nobody counted
 * @throws source-unreachable, source-refused, source-lost
 */
export async function partition(
  reading: Reading,
  scopes: readonly Scope[],
  { groups, documents }: { groups: readonly string[]; documents: number | undefined },
): Promise<Range[]> {
  const wanted = Math.min(PARTITIONS, Math.ceil((documents ?? Number.POSITIVE_INFINITY) / WORTHWHILE_DOCUMENTS));
  if (wanted < 2) return [...scopes];
  const boundaries = new Set<string>();
  const found = (await pointsOf(reading, undefined, wanted - 1)) ?? [];
  for (const point of found) boundaries.add(point);
  if (boundaries.size === 0) {
    for (const group of groups) {
      for (const point of (await pointsOf(reading, group, wanted - 1)) ?? []) boundaries.add(point);
    }
  }
  const sorted = thinned([...boundaries].sort(compareNames), wanted * 2);
  return scopes.flatMap((scope) => rangesOf(scope, sorted));
}

function rangesOf({ collection }: Scope, boundaries: readonly string[]): Range[] {
  const inside = boundaries.filter((name) => collection === undefined || name.startsWith(`documents/${collection}/`));
  return [undefined, ...inside].map((from, index) => ({
    collection,
    ...(from !== undefined && { from }),
    ...(inside[index] !== undefined && { before: inside[index] }),
  }));
}

function thinned(names: readonly string[], atMost: number): string[] {
  const step = Math.max(1, Math.ceil(names.length / atMost));
  return names.filter((_, index) => index % step === step - 1 || step === 1);
}

/** Names that part a collection group, or everything; undefined where the server does not part that. */
async function pointsOf(reading: Reading, group: string | undefined, count: number): Promise<string[] | undefined> {
  const { client, database, callOptions } = reading.connection;
  const request = {
    parent: `${database}/documents`,
    structuredQuery: {
      from: [{ ...(group !== undefined && { collectionId: group }), allDescendants: true }],
      orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }],
    },
    partitionCount: count,
    readTime: reading.moment.readTime,
  };
  try {
    const cursors = await readAgain(reading.pause, async () => {
      const [all] = await client.partitionQuery(request as object, { ...ONCE, ...callOptions });
      return all;
    });
    reading.meter.add(Math.max(1, cursors.length));
    return cursors.flatMap(({ values }) => {
      const name = values?.[0]?.referenceValue;
      return name ? [relativeName(name, database)] : [];
    });
  } catch (error) {
    const code = codeOf(error);
    if (!reading.signal.aborted && (code === CODE.invalidArgument || code === CODE.unimplemented)) return undefined;
    throw readFailure(error, reading);
  }
}
