import type { PackedBlob } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import type { Progress } from '../../foundation/progress.ts';
import { openBlob } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import type { Repository } from '../repository.ts';
import { BlobPacker } from '../write/blob-packer.ts';
import type { PackUse } from './plan.ts';

/** A gap between blobs is read over when it is no larger: one read more would cost more. */
const READ_OVER_BYTES = 256 * 1024;

export interface RepackOptions {
  lock: HeldLock;
  signal: AbortSignal;
  progress: Progress;
  /** A new pack is finished once it holds as much. */
  packSizeBytes: number;
}

/**
 * Copies what is used of packs into new ones: sealed as it is, once it was opened and found whole. When it resolves the
 * copies and their index are durable, and the old packs are as they were.
 * @throws repository-damaged, disk-full …
 */
export async function repack(repository: Repository, packs: readonly PackUse[], options: RepackOptions): Promise<void> {
  if (packs.length === 0) return;
  const { progress, signal } = options;
  progress.phase('copying what is used', { bytes: packs.reduce((sum, { usedBytes }) => sum + usedBytes, 0) });
  const packer = new BlobPacker(repository, options);
  for (const { id, used } of packs) {
    for (const run of runsOf(used)) {
      signal.throwIfAborted();
      await copyRun(repository, packer, id, run);
      progress.advance({ bytes: run.reduce((sum, { length }) => sum + length, 0) });
    }
  }
  await packer.finish();
}

async function copyRun(
  repository: Repository,
  packer: BlobPacker,
  pack: string,
  run: readonly PackedBlob[],
): Promise<void> {
  const start = run[0]!.offset;
  const last = run.at(-1)!;
  const sealedIn = (bytes: Uint8Array, { offset, length }: PackedBlob): Uint8Array =>
    bytes.subarray(offset - start, offset - start + length);
  const whole = (bytes: Uint8Array): Uint8Array => {
    for (const blob of run) releaseBuffer(openBlob(repository.key, sealedIn(bytes, blob), blob, pack));
    return bytes;
  };
  const range = { offset: start, length: last.offset + last.length - start };
  const bytes = await repository.read(packKey(pack), whole, range);
  for (const blob of run) {
    const { offset: _offset, length: _length, ...rest } = blob;
    await packer.add(rest, new Uint8Array(sealedIn(bytes, blob)));
  }
  releaseBuffer(bytes);
}

/** Blobs that lie close together in a pack, so that each run is read at once. */
function runsOf(blobs: readonly PackedBlob[]): PackedBlob[][] {
  const runs: PackedBlob[][] = [];
  let endsAt = Number.NEGATIVE_INFINITY;
  for (const blob of blobs.toSorted((a, b) => a.offset - b.offset)) {
    if (blob.offset - endsAt > READ_OVER_BYTES) runs.push([]);
    runs.at(-1)!.push(blob);
    endsAt = blob.offset + blob.length;
  }
  return runs;
}
