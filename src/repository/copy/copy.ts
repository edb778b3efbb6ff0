import { encodeSnapshot, stringifyExactJson } from '../../format/index.ts';
import type { Progress } from '../../foundation/progress.ts';
import { settled } from '../../foundation/promises.ts';
import type { IndexedRepository } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import { ReadPool } from '../read/pool.ts';
import { type StoredSnapshot, saveSnapshot } from '../snapshots.ts';
import { BlobPacker } from '../write/blob-packer.ts';
import { NeededBlobs } from './needed.ts';
import { type PackRange, rangesOf } from './ranges.ts';

export interface CopyOptions {
  /** The target's, at least a shared one. */
  lock: HeldLock;
  progress: Progress;
  signal: AbortSignal;
  /** For tests. */
  packSizeBytes?: number;
}

export interface CopiedSnapshot {
  /** Its id in the repository that it came from. */
  from: string;
  /** Its id in the repository that it went to. */
  to: string;
  /** Whether it was there already. */
  existed: boolean;
  /** Blobs that were stored, and bytes they take. */
  blobs: number;
  bytes: number;
}

/**
 * Copies snapshots, oldest first, into another repository. Blobs keep their ids, whatever the keys, formats and chunking of the
 * two; each is authenticated and checked against its name on the way. What is there already is not copied: a copy that was
 * interrupted goes on where it was. A snapshot becomes visible when all that it needs is durable.
 * @param present the snapshots that the target has
 * @throws repository-damaged when something cannot be read: the snapshots before it were copied
 */
export async function copySnapshots(
  source: IndexedRepository,
  target: IndexedRepository,
  { snapshots, present }: { snapshots: readonly StoredSnapshot[]; present: readonly StoredSnapshot[] },
  options: CopyOptions,
): Promise<CopiedSnapshot[]> {
  const needed = new NeededBlobs(source, target);
  const there = new Map(present.map((snapshot) => [identityOf(snapshot), snapshot.id]));
  const copied: CopiedSnapshot[] = [];
  await using pool = new ReadPool(source.repository.key);
  for (const snapshot of snapshots) {
    const identity = identityOf(snapshot);
    const twin = there.get(identity);
    if (twin !== undefined) {
      copied.push({ from: snapshot.id, to: twin, existed: true, blobs: 0, bytes: 0 });
      continue;
    }
    const label = snapshot.id.slice(0, 8);
    options.progress.phase(`reading the trees of ${label}`);
    const ranges = rangesOf(await needed.below(snapshot.tree, options.signal));
    options.progress.phase(`copying ${label}`, { bytes: ranges.reduce((sum, { length }) => sum + length, 0) });
    const { blobs, bytes } = await copyRanges({ source, target, pool }, ranges, options);
    await options.lock.confirm();
    const to = await saveSnapshot(target.repository, copyOf(snapshot));
    there.set(identity, to);
    copied.push({ from: snapshot.id, to, existed: false, blobs, bytes });
  }
  return copied;
}

/** As restic's copy: the parent means nothing elsewhere, and `original` says what it is a copy of. */
function copyOf({ id, parent: _, ...snapshot }: StoredSnapshot): Omit<StoredSnapshot, 'id'> {
  return { ...snapshot, original: snapshot.original ?? id };
}

/** What is the same for a snapshot and its copies: what it is a copy of, and all that it says but its parent. */
function identityOf({ id, parent: _, original, ...snapshot }: StoredSnapshot): string {
  const said = Object.entries(encodeSnapshot(snapshot) as object).sort(([a], [b]) => (a < b ? -1 : 1));
  return stringifyExactJson([original ?? id, said]);
}

async function copyRanges(
  { source, target, pool }: { source: IndexedRepository; target: IndexedRepository; pool: ReadPool },
  ranges: readonly PackRange[],
  { lock, progress, signal, packSizeBytes }: CopyOptions,
): Promise<{ blobs: number; bytes: number }> {
  const { key, config } = target.repository;
  const packer = new BlobPacker(target.repository, { lock, packSizeBytes });
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < ranges.length; at = next++) {
      signal.throwIfAborted();
      const { pack, offset, length, blobs } = ranges[at]!;
      const located = blobs.map((blob) => ({ ...blob, start: blob.offset - offset }));
      const recode = (sealed: Uint8Array) => pool.recode(pack, sealed, located, { key, formatVersion: config.version });
      for (const blob of await source.repository.read(packKey(pack), recode, { offset, length })) {
        const { sealed: recoded, uncompressedLength, id, type } = blob;
        await packer.add({ id, type, ...(uncompressedLength !== undefined && { uncompressedLength }) }, recoded);
      }
      progress.advance({ bytes: length });
    }
  };
  const results = await Promise.allSettled(Array.from({ length: pool.threadCount + 1 }, work));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return packer.finish();
  // What was stored by now is indexed all the same where that is possible, so that the next run need not store it again.
  await settled(packer.finish());
  throw failed.reason;
}
