import type { Check } from '../index.ts';
import { type ArchiveToc, type TocEntry, textOf } from './archive/toc.ts';
import { isSameDefinition } from './same-definition.ts';
import { isAheadByLog } from './sequence-values.ts';

/** As many differences are named; of the others there is a count. */
const NAMED_DIFFERENCES = 5;

/** What differs between the definitions of two archives. */
export interface SchemaComparison {
  /** How many definitions were expected. */
  compared: number;
  differences: SchemaDifference[];
  /** Why texts were not compared, if they were not. */
  withoutTexts?: string;
}

/** What a database has lost by a recovery. */
export interface Recovered {
  /** Those that begin anew, by schema and name with a space between. */
  unloggedSequences: string[];
}

export interface SchemaDifference {
  /** Kind, schema and name: `INDEX public by_name`. */
  name: string;
  kind: 'missing' | 'extra' | 'differs';
}

/**
 * Holds what one archive defines against what another one does: tables, types, indexes, constraints, rights, values of
 * sequences. Texts are compared where both come from the same major versions of server and pg_dump: another version
 * writes the same things otherwise, so that there it is names, owners and values.
 * @param recovered what was expected came back by a log, which says a sequence's value only now and then, and ahead
 */
export function compareSchemas(
  expected: ArchiveToc,
  found: ArchiveToc,
  { recovered }: { recovered?: Recovered } = {},
): SchemaComparison {
  const sameWriting = writingOf(expected) === writingOf(found);
  const before = definitions(expected, sameWriting);
  const after = definitions(found, sameWriting);
  const differences: SchemaDifference[] = [];
  const isSame = (name: string, was: string, is: string): boolean =>
    isSameDefinition(name, was, is) ||
    (recovered !== undefined && name.startsWith(SEQUENCE_SET) && isLaggingValue(recovered, name, [was, is], after));
  for (const [name, definition] of before) {
    const other = after.get(name);
    if (other === undefined) differences.push({ name, kind: 'missing' });
    else if (!isSame(name, definition, other)) differences.push({ name, kind: 'differs' });
  }
  for (const name of after.keys()) if (!before.has(name)) differences.push({ name, kind: 'extra' });
  const withoutTexts = `PostgreSQL ${writingOf(found)} writes them otherwise than ${writingOf(expected)}, so that their texts were not compared`;
  return { compared: before.size, differences, ...(!sameWriting && { withoutTexts }) };
}

const SAID: Record<SchemaDifference['kind'], string> = {
  missing: 'is missing',
  extra: 'was not in the snapshot',
  differs: 'differs',
};

/** The check that a comparison makes. */
export function schemaCheck({ compared, differences, withoutTexts }: SchemaComparison): Check {
  const named = differences.slice(0, NAMED_DIFFERENCES).map(({ name, kind }) => `${name} ${SAID[kind]}`);
  const more = differences.length > named.length ? `, and ${differences.length - named.length} more` : '';
  const equal =
    withoutTexts === undefined
      ? `${compared} definitions, all equal`
      : `${compared} definitions, all there with their owners; ${withoutTexts}`;
  return {
    name: 'schema',
    result: differences.length === 0 ? 'passed' : 'failed',
    detail: differences.length === 0 ? equal : `${named.join('; ')}${more}`,
  };
}

/** The major versions that decide how a definition is written: `15`, or `15 by pg_dump 17`. */
function writingOf({ serverVersion, dumpVersion }: ArchiveToc): string {
  const [server, dump] = [serverVersion, dumpVersion].map((version) => Number.parseInt(textOf(version), 10));
  return server === dump ? `${server}` : `${server} by pg_dump ${dump}`;
}

/** What says nothing of the schema itself: rows are compared by themselves, and these differ from server to server. */
const LEFT_OUT = new Set([
  'TABLE DATA',
  'BLOBS',
  'BLOB METADATA',
  'ENCODING',
  'STDSTRINGS',
  'SEARCHPATH',
  'DATABASE',
  'DATABASE PROPERTIES',
]);

/** Every definition by kind, schema and name. Entries that share all of these are told apart by their place among them. */
function definitions(toc: ArchiveToc, withTexts: boolean): Map<string, string> {
  const byName = new Map<string, string>();
  const entries = toc.entries.filter(
    (entry) =>
      !LEFT_OUT.has(textOf(entry.description)) && !isOfDatabase(entry) && (withTexts || !isOfLargeObject(entry)),
  );
  for (const [name, group] of Map.groupBy(entries, nameOf)) {
    const texts = group.map((entry) => (withTexts ? definitionOf(entry) : briefOf(entry))).sort();
    for (const [index, text] of texts.entries()) byName.set(texts.length === 1 ? name : `${name} (${index + 1})`, text);
  }
  return byName;
}

function nameOf({ description, namespace, tag }: TocEntry): string {
  return [description, namespace, tag]
    .map(textOf)
    .filter((part) => part !== '')
    .join(' ');
}

const SEQUENCE_SET = 'SEQUENCE SET ';

function isLaggingValue(
  { unloggedSequences }: Recovered,
  name: string,
  [was, is]: [string, string],
  definitions: ReadonlyMap<string, string>,
): boolean {
  const sequence = name.slice(SEQUENCE_SET.length);
  return unloggedSequences.includes(sequence) || isAheadByLog(was, is, definitions.get(`SEQUENCE ${sequence}`) ?? '');
}

/** A comment on the database itself, or rights to it: they name it, and stay with it. */
function isOfDatabase({ tag }: TocEntry): boolean {
  return textOf(tag).startsWith('DATABASE ');
}

/** From 17 on, many large objects share an entry; their contents are compared by themselves. */
function isOfLargeObject({ description, tag }: TocEntry): boolean {
  return textOf(description) === 'BLOB' || textOf(tag).startsWith('LARGE OBJECT');
}

/** What every version writes alike: the owner, and a sequence's value. */
function briefOf({ description, definition, owner }: TocEntry): string {
  return textOf(description) === 'SEQUENCE SET' ? `${textOf(definition)}\n${textOf(owner)}` : textOf(owner);
}

/** Byte by byte, since the texts need not be UTF-8: decoded as that, other letters would all look alike. */
function definitionOf(entry: TocEntry): string {
  const texts = [entry.definition, entry.owner, entry.tableAccessMethod];
  return texts.map((text) => text?.toString('latin1') ?? '').join('\n');
}
