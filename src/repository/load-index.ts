import { ID_BYTES, type IndexColumns } from '../format/index.ts';
import { releaseBuffer } from '../foundation/buffers.ts';
import { BlobEntries } from './blob-table.ts';
import { IndexedRepository } from './indexed.ts';
import { INDEX_PREFIX } from './layout.ts';
import { packsOf, readMarks } from './prune/marks.ts';
import { BlobOpener } from './read/blob-opener.ts';
import { IndexPlacer } from './read/index-placer.ts';
import { ReadPool, threadCount } from './read/pool.ts';
import { followIndex, PARALLEL_READS } from './read-index.ts';
import type { Repository } from './repository.ts';

/** With less to read than this, threads would take longer to start than they save. */
const WORTH_THREADS_BYTES = 8 * 1024 * 1024;
/** Beside this thread, which has little else to do. */
const HELPERS = Math.max(1, threadCount() - 1);

/** Loads the index, under a lock that was taken before. @throws repository-damaged */
export async function loadIndex(repository: Repository): Promise<IndexedRepository> {
  // Marks first: one that is gone by then was swept, and no index file read from then on has what it named.
  const marked = packsOf(await readMarks(repository));
  const sizes = [...(await repository.documentSizes(INDEX_PREFIX)).values()];
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  const { entries, packs } = await readAll(repository, sizeBytes);
  const { packIds, ...tables } = entries.tables(packs, marked);
  return new IndexedRepository(repository, tables, packIds);
}

interface ReadEntries {
  entries: BlobEntries;
  packs: IndexColumns['packs'];
}

/** The threads have ended when it resolves: their memory is needed for what comes next. */
async function readAll(repository: Repository, sizeBytes: number): Promise<ReadEntries> {
  await using pool = sizeBytes < WORTH_THREADS_BYTES ? undefined : new ReadPool(repository.key, HELPERS);
  // An id takes its 32 bytes however well it is compressed: there are more blobs only where some are listed twice.
  for (let capacity = Math.ceil(sizeBytes / ID_BYTES); ; capacity = capacity * 2 + 1) {
    const read = await readEntries(repository, pool, capacity);
    if (read !== undefined) return read;
  }
}

/** @returns undefined when there was too little room, or a file was replaced that was read: what it lists may be gone */
async function readEntries(
  repository: Repository,
  pool: ReadPool | undefined,
  capacity: number,
): Promise<ReadEntries | undefined> {
  const entries = BlobEntries.withCapacity(capacity);
  const placer = new IndexPlacer(new BlobOpener(repository.key));
  const packs: IndexColumns['packs'] = [];
  let isWhole = true;
  await followIndex(repository, {
    // What waits for a thread would take memory for nothing.
    parallelReads: pool === undefined ? PARALLEL_READS : HELPERS + 1,
    read: async (key) => {
      const sealed = await repository.store.get(key);
      const isHere = pool === undefined || pool.isBusy;
      const placed = isHere
        ? placer.place(key, sealed, entries)
        : await pool.placeIndexFile(key, sealed, entries.shared);
      if (placed === undefined) isWhole = false;
      else packs.push(...placed);
      if (isHere) releaseBuffer(sealed);
    },
    forget: () => {
      isWhole = false;
    },
  });
  return isWhole ? { entries, packs } : undefined;
}
