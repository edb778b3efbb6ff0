import { ID_BYTES, type IndexColumns } from '../format/index.ts';
import { releaseBuffer } from '../foundation/buffers.ts';
import { trimMemory } from '../foundation/posix.ts';
import { BlobEntries } from './blob-table.ts';
import { IndexedRepository } from './indexed.ts';
import { INDEX_PREFIX } from './layout.ts';
import { packsOf, readMarks } from './prune/marks.ts';
import { BlobOpener } from './read/blob-opener.ts';
import { IndexScanner } from './read/index-scanner.ts';
import { ReadPool, threadCount } from './read/pool.ts';
import { followIndex, PARALLEL_READS } from './read-index.ts';
import type { Repository } from './repository.ts';

/** With less to read than this, threads would take longer to start than they save. */
const WORTH_THREADS_BYTES = 8 * 1024 * 1024;
/** Beside this thread, which has little else to do. */
const HELPERS = Math.max(1, threadCount() - 1);

/** Loads the index, under a lock that was taken before. @throws repository-damaged */
export async function loadIndex(repository: Repository): Promise<IndexedRepository> {
  // Marks before the listing that decides: one that is gone by then was swept, and no index file that is listed from then
  // on has what it named. The listing beside them tells how much room to make, and what to begin with.
  const [marks, sizes] = await Promise.all([readMarks(repository), repository.documentSizes(INDEX_PREFIX)]);
  const { entries, packs } = await readAll(repository, sizes);
  // What the threads needed of the system's allocator is theirs no more, and the slots of the table come now.
  if (bytesOf(sizes) >= WORTH_THREADS_BYTES) trimMemory();
  const { packIds, ...tables } = entries.tables(packs, packsOf(marks));
  return new IndexedRepository(repository, tables, packIds);
}

interface ReadEntries {
  entries: BlobEntries;
  packs: IndexColumns['packs'];
}

/** The threads have ended when it resolves: their memory is needed for what comes next. */
async function readAll(repository: Repository, listed: ReadonlyMap<string, number>): Promise<ReadEntries> {
  let sizes = listed;
  let sizeBytes = bytesOf(sizes);
  await using pool = sizeBytes < WORTH_THREADS_BYTES ? undefined : new ReadPool(repository.key, HELPERS);
  for (let roomFactor = 1; ; ) {
    // An id takes its 32 bytes however well it is compressed: there are more blobs only where some are listed twice.
    const capacity = Math.ceil(sizeBytes / ID_BYTES) * roomFactor;
    const read = await readEntries(repository, pool, { listed: [...sizes.keys()].sort(), capacity });
    if (typeof read === 'object') return read;
    if (read === 'no-room') roomFactor *= 2;
    sizes = await repository.documentSizes(INDEX_PREFIX);
    sizeBytes = bytesOf(sizes);
  }
}

function bytesOf(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/**
 * @param listed the index files as they were listed just now, sorted
 * @returns `replaced` when a file is gone that was read: what it lists may be gone, too
 */
async function readEntries(
  repository: Repository,
  pool: ReadPool | undefined,
  { listed, capacity }: { listed: readonly string[]; capacity: number },
): Promise<ReadEntries | 'no-room' | 'replaced'> {
  const entries = BlobEntries.withCapacity(capacity);
  const scanner = new IndexScanner(new BlobOpener(repository.key));
  const { indexMemory } = repository;
  indexMemory?.forgetOthers(listed);
  const packs: IndexColumns['packs'] = [];
  const readFile = (key: string) =>
    repository.read(key, async (sealed) => {
      if (pool !== undefined && !pool.isBusy) return pool.placeIndexFile(key, sealed, entries.shared);
      const columns = scanner.scan(key, sealed);
      releaseBuffer(sealed);
      indexMemory?.keep(key, columns);
      return entries.put(columns);
    });
  let hasRoom = true;
  let isReplaced = false;
  await followIndex(repository, {
    listed,
    // What waits for a thread would take memory for nothing.
    parallelReads: pool === undefined ? PARALLEL_READS : HELPERS + 1,
    read: async (key) => {
      const known = indexMemory?.columnsOf(key);
      const placed = known === undefined ? await readFile(key) : entries.put(known);
      if (placed === undefined) hasRoom = false;
      // One by one: a file may list more packs than a call can have arguments.
      for (const pack of placed ?? []) packs.push(pack);
    },
    forget: () => {
      isReplaced = true;
    },
  });
  if (!hasRoom) return 'no-room';
  return isReplaced ? 'replaced' : { entries, packs };
}
