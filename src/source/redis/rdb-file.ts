import type { TreeNode } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import { digestOfContent, RDB_NAME, type RedisDetails, VERIFIER } from './details.ts';
import { RdbReader, type RdbReaderOptions, type RdbSummary } from './rdb/reader.ts';

export interface StoredRdb {
  content: string[];
  summary: RdbSummary;
}

/**
 * Stores an RDB as it comes, and reads it on the way: nothing is kept of one that is damaged.
 * @param rdb in parts that are given away
 * @throws source-damaged, source-unsupported; what the RDB's source throws
 */
export async function storeRdb(
  rdb: AsyncIterable<Uint8Array>,
  writer: SnapshotWriter,
  progress: Progress,
): Promise<StoredRdb> {
  const file = await writer.openFile();
  try {
    const reader = new RdbReader({ origin: 'source' });
    for await (const bytes of rdb) {
      const written = file.write(bytes);
      reader.write(bytes);
      await written;
      const { length } = bytes;
      // Left to the collector, marking whatever else there is would take as long as reading the keys.
      releaseBuffer(bytes);
      progress.advance({ bytes: length });
    }
    const summary = reader.end();
    const { content } = await file.end();
    return { content, summary };
  } finally {
    file.abort();
  }
}

/** The RDB of a snapshot. @throws repository-damaged */
export async function rdbNode(reader: SnapshotReader): Promise<TreeNode> {
  const node = await reader.find(`/data/${RDB_NAME}`);
  if (node?.type === 'file') return node;
  throw new HoldfastError('repository-damaged', `the snapshot has no file /data/${RDB_NAME}`, {
    hint: 'Restore another snapshot.',
  });
}

/** Whether these are the very bytes that were verified when they were captured. */
export function wasVerified(node: TreeNode, details: RedisDetails): boolean {
  return details.verifier === VERIFIER && details.content === digestOfContent(node.content ?? []);
}

/**
 * Reads the whole RDB of a snapshot.
 * @param each is awaited for every part, once the reader has taken it
 * @throws repository-damaged, source-unsupported
 */
export async function readRdb(
  reader: SnapshotReader,
  options: Omit<RdbReaderOptions, 'origin'> & { expiredBeforeMs?: number; signal: AbortSignal },
  each?: (bytes: Uint8Array) => Promise<void> | undefined,
): Promise<RdbSummary> {
  const node = await rdbNode(reader);
  const rdb = new RdbReader({ ...options, origin: 'snapshot' });
  if (options.expiredBeforeMs !== undefined) rdb.expiredBeforeMs = options.expiredBeforeMs;
  for await (const bytes of reader.read(node)) {
    options.signal.throwIfAborted();
    rdb.write(bytes);
    await each?.(bytes);
  }
  return rdb.end();
}
