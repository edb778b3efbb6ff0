import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { FileStatus } from '../../foundation/file-status.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { type LargeFile, MAX_GROWTH_BYTES, type SnapshotWriter, type StoredFile } from '../../repository/index.ts';
import { changedWhileRead } from './entry-errors.ts';

export interface ReadLargeFile extends StoredFile {
  /** While it was read. */
  hasChanged: boolean;
}

/** How a large file is read. */
export interface LargeReading extends Pick<LargeFile, 'before'> {
  writer: SnapshotWriter;
  /** What the system said of it. */
  seen: FileStatus;
  onRead: (bytes: number) => void;
}

/**
 * Has a large file read by several threads; it stays open until that is over. Resolves when all of it is on its way.
 * @throws the system's error, also by `read`; source-lost where something else is in its place
 */
export async function readLargeFile(
  path: Buffer,
  { writer, seen, before, onRead }: LargeReading,
): Promise<{ read: Promise<ReadLargeFile> }> {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let isReadLater = false;
  try {
    if (!fstatSync(descriptor).isFile()) throw changedWhileRead();
    const sizeBytes = Number(seen.size);
    const { stored } = await writer.writeInParts(
      descriptor,
      { sizeBytes, limitBytes: sizeBytes + MAX_GROWTH_BYTES, before },
      onRead,
    );
    isReadLater = true;
    return { read: awaitedLater(untilRead(descriptor, seen, stored)) };
  } finally {
    if (!isReadLater) closeSync(descriptor);
  }
}

async function untilRead(descriptor: number, seen: FileStatus, stored: Promise<StoredFile>): Promise<ReadLargeFile> {
  try {
    const file = await stored;
    return { ...file, hasChanged: hasChanged(seen, fstatSync(descriptor, { bigint: true }), file.sizeBytes) };
  } finally {
    closeSync(descriptor);
  }
}

function hasChanged(before: FileStatus, after: FileStatus, readBytes: number): boolean {
  return (
    before.ino !== after.ino ||
    before.dev !== after.dev ||
    after.size !== BigInt(readBytes) ||
    before.size !== after.size ||
    before.mtimeNs !== after.mtimeNs
  );
}
