import { decodeIndexFile, encodeIndexFile, type IndexFile } from '../../format/index.ts';
import type { Clock } from '../../foundation/clock.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { INDEX_PREFIX, idOfKey } from '../layout.ts';
import { lockRepository } from '../locks.ts';
import { PARALLEL_READS } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { mergedIndex } from '../write/session.ts';

/** An index file of a few packs: what a snapshot of a few files leaves. */
const SMALL_BYTES = 16 * 1024;
/** Fewer are no burden: each backup reads all of them. */
const WORTH_MERGING = 64;

/**
 * Makes few index files of many small ones, as snapshots that follow one another every few seconds leave them. The new ones
 * are durable before the old ones go; who reads the index meanwhile finds one or the other.
 * @param announce is told of the files that are about to go, by id, before the first of them does
 * @returns how many went
 * @throws repository-locked, repository-damaged; permission-denied with credentials that cannot delete
 */
export async function mergeIndex(
  repository: Repository,
  { clock, announce }: { clock: Clock; announce: (indexes: string[]) => Promise<void> },
): Promise<number> {
  if ((await smallFiles(repository)).length < WORTH_MERGING) return 0;
  const lock = await lockRepository(repository, { exclusive: true, besideOurs: [], clock });
  try {
    const keys = await smallFiles(repository);
    const files: IndexFile[] = [];
    await sideBySide(keys, PARALLEL_READS, async (key) => {
      files.push(decodeIndexFile(await repository.getDocument(key)));
    });
    for (const file of mergedIndex(files)) {
      await repository.putDocument(INDEX_PREFIX, encodeIndexFile(file));
    }
    await announce(keys.map((key) => idOfKey(key)!));
    await lock.confirm();
    await sideBySide(keys, PARALLEL_READS, (key) => repository.store.delete(key));
    return keys.length;
  } finally {
    await lock.release();
  }
}

async function smallFiles(repository: Repository): Promise<string[]> {
  const sizes = await repository.documentSizes(INDEX_PREFIX);
  return [...sizes].flatMap(([key, sizeBytes]) => (sizeBytes < SMALL_BYTES ? [key] : []));
}
