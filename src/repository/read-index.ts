import { columnsOf, decodeIndexFile, type IndexFile } from '../format/index.ts';
import { type HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { awaitedLater, sideBySide } from '../foundation/promises.ts';
import { BlobEntries } from './blob-table.ts';
import { IndexedRepository } from './indexed.ts';
import { INDEX_PREFIX } from './layout.ts';
import type { Repository } from './repository.ts';

/** How many index files are read at the same time. */
export const PARALLEL_READS = 8;

/** An index file as it was found: with its content, or with why it has none. */
export type ReadIndexFile =
  | { key: string; file: IndexFile; error?: undefined }
  | { key: string; file: undefined; error: HoldfastError };

/** Reads all index files, each for itself. */
export async function readEachIndexFile(repository: Repository): Promise<ReadIndexFile[]> {
  const files: ReadIndexFile[] = [];
  await sideBySide(await repository.documentKeys(INDEX_PREFIX), PARALLEL_READS, async (key) => {
    files.push(await readIndexFile(repository, key));
  });
  return files;
}

async function readIndexFile(repository: Repository, key: string): Promise<ReadIndexFile> {
  try {
    return { key, file: decodeIndexFile(await repository.getDocument(key)) };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { key, file: undefined, error };
  }
}

/**
 * Reads all index files.
 * @param onDamage is told of a file that cannot be used, which is passed over then; without it that is thrown
 * @throws repository-damaged
 */
export async function readIndexFiles(
  repository: Repository,
  onDamage?: (key: string, error: HoldfastError) => void,
): Promise<IndexFile[]> {
  return [...(await readIndexByKey(repository, onDamage)).values()];
}

/** The same, by key. */
export async function readIndexByKey(
  repository: Repository,
  onDamage?: (key: string, error: HoldfastError) => void,
): Promise<Map<string, IndexFile>> {
  const known = new Map<string, IndexFile>();
  await followIndex(repository, {
    read: async (key) => {
      try {
        known.set(key, decodeIndexFile(await repository.getDocument(key)));
      } catch (error) {
        if (onDamage === undefined || !isHoldfastError(error) || error.code === 'object-missing') throw error;
        onDamage(key, error);
        known.set(key, { packs: [] });
      }
    },
    forget: (key) => known.delete(key),
  });
  return known;
}

/**
 * Has every index file read, also while a prune replaces some: what is gone then is read as what was put in its place.
 * @param use `read` is called once for each file, `forget` for one that was read and is gone now; `listed` are the keys as
 *   a listing has just shown them, sorted
 * @throws what `read` throws; object-missing for a file that is listed and never there
 */
export async function followIndex(
  repository: Repository,
  use: {
    listed?: readonly string[];
    parallelReads?: number;
    read: (key: string) => Promise<void>;
    forget: (key: string) => void;
  },
): Promise<void> {
  const known = new Set<string>();
  const missing = new Set<string>();
  const read = async (key: string): Promise<void> => {
    try {
      await use.read(key);
      known.add(key);
    } catch (error) {
      // Gone since it was listed, most likely: the next listing tells, and what is listed again must be there.
      if (!isHoldfastError(error, 'object-missing') || missing.has(key)) throw error;
      missing.add(key);
    }
  };
  // A listing is not one moment: it may show neither an old file nor the new one that replaces it. Two that are equal do.
  let before: string | undefined;
  let next = use.listed === undefined ? undefined : Promise.resolve(use.listed);
  for (;;) {
    const listed = await (next ?? repository.documentKeys(INDEX_PREFIX));
    const fresh = listed.filter((key) => !known.has(key));
    if (listed.join() === before && fresh.length === 0) return;
    before = listed.join();
    // The next listing while they are read. Where one was gone, only a later one tells what took its place.
    next = awaitedLater(repository.documentKeys(INDEX_PREFIX));
    const missed = missing.size;
    await sideBySide(fresh, use.parallelReads ?? PARALLEL_READS, read);
    if (missing.size > missed) next = undefined;
    const isListed = new Set(listed);
    for (const key of known) {
      if (isListed.has(key)) continue;
      known.delete(key);
      use.forget(key);
    }
  }
}

/** @param marked packs that a prune is going to remove: a blob is looked for there only when it is nowhere else */
export function indexOf(
  repository: Repository,
  files: readonly IndexFile[],
  marked: ReadonlySet<string> = new Set(),
): IndexedRepository {
  const blobs = files.reduce((sum, { packs }) => sum + packs.reduce((of, pack) => of + pack.blobs.length, 0), 0);
  const entries = BlobEntries.withCapacity(blobs);
  const packs = files.flatMap((file) => entries.put(columnsOf(file))!);
  const { packIds, ...tables } = entries.tables(packs, marked);
  return new IndexedRepository(repository, tables, packIds);
}
