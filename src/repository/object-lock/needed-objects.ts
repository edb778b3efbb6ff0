import type { IndexFile } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { CONFIG_KEY, idOfKey } from '../layout.ts';
import { kindOf, type ObjectKind } from '../mirror/objects.ts';
import { UsedBlobs } from '../prune/used.ts';
import { indexOf, readIndexFiles } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshots.ts';

const NEEDED_ALWAYS: readonly (ObjectKind | undefined)[] = ['key', 'index', 'ledger', 'checkpoint', 'tail'];

/** What of a repository is needed as long as some of its snapshots are kept. */
export interface NeededObjects {
  isNeeded(key: string): boolean;
  /** The packs of the index that no kept snapshot needs, by id. */
  unneeded: string[];
}

export interface KeptSnapshots {
  kept: readonly StoredSnapshot[];
  /** Ids of those that are there and not kept. */
  going: ReadonlySet<string>;
}

/**
 * Reads the index and the trees of the snapshots. Where something is damaged, missing or hidden all packs count as needed:
 * what would mend it may be in any.
 */
export async function neededObjects(
  repository: Repository,
  { kept, going }: KeptSnapshots,
  work: { signal: AbortSignal; progress: Progress },
): Promise<NeededObjects> {
  const packs = await neededPacks(repository, kept, work).catch((error: unknown) => {
    if (isHoldfastError(error, 'repository-damaged') || isHoldfastError(error, 'object-missing')) return undefined;
    throw error;
  });
  const isNeeded = (key: string): boolean => {
    const kind = kindOf(key);
    if (kind === 'pack') return packs === undefined || packs.needed.has(idOfKey(key)!);
    if (kind === 'snapshot') return !going.has(idOfKey(key)!);
    return key === CONFIG_KEY || NEEDED_ALWAYS.includes(kind);
  };
  return { isNeeded, unneeded: packs?.unneeded ?? [] };
}

/** The packs of the index, by id, that these snapshots need, and those that they do not. */
export async function neededPacks(
  repository: Repository,
  snapshots: readonly StoredSnapshot[],
  work: { signal: AbortSignal; progress: Progress },
): Promise<{ needed: Set<string>; unneeded: string[] }> {
  const files = await readIndexFiles(repository);
  const used = new UsedBlobs();
  await used.add(indexOf(repository, files), snapshots, work);
  const isUsed = ({ blobs }: IndexFile['packs'][number]): boolean =>
    blobs.some(({ id, type }) => used.has(Buffer.from(id, 'hex'), type));
  const packs = files.flatMap((file) => file.packs);
  const needed = new Set(packs.filter(isUsed).map(({ id }) => id));
  return { needed, unneeded: [...new Set(packs.map(({ id }) => id))].filter((id) => !needed.has(id)) };
}
