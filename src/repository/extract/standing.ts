import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { chmodSync, closeSync, constants, fchmodSync, ftruncateSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { byteString, displayName } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { readAt } from '../../foundation/read-at.ts';
import { hasAttributes } from './attributes.ts';
import type { FileTable } from './file-table.ts';
import type { WantedBuilder } from './wanted.ts';

/**
 * Looks at the files that stand in a target already, from a restore that did not come to its end. Contents that are right
 * are not fetched again; times alone are not believed, since a machine that lost its power may have kept a file's times and
 * not its bytes. What is right in all it is, is left alone.
 * @returns how many files are left alone
 * @throws target-failed where a directory is in a file's place
 */
export function keepStandingFiles(
  files: FileTable,
  wanted: WantedBuilder,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): number {
  let kept = 0;
  let place = 0;
  for (let file = 0; file < files.count; file++) {
    signal.throwIfAborted();
    const first = place;
    while (place < wanted.count && wanted.place(place).file === file) place++;
    const path = files.path(file);
    if (standing(path, (found) => found.isFile() && found.nlink === 1n) === undefined) continue;
    const rightBytes = keepRightPlaces(path, wanted, first, place);
    progress.advance({ bytes: rightBytes });
    if (rightBytes === files.sizeBytes(file) && isSet(files, file, path)) {
      files.setLeftAlone(file);
      kept++;
    } else {
      makeFillable(path, files.sizeBytes(file));
      files.setStanding(file, { hadContent: true });
    }
  }
  return kept;
}

/**
 * What stands at a path, if it will do; what will not is removed, so that something else can be made there.
 * @throws target-failed when it is a directory and that will not do: what may be in it is not ours
 */
export function standing(path: Buffer, willDo: (found: BigIntStats) => boolean): BigIntStats | undefined {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined || willDo(found)) return found;
  if (found.isDirectory()) {
    throw new HoldfastError('target-failed', `there is a directory where something else is to be restored`, {
      hint: 'Move it away, or restore to another target.',
      context: { path: displayName(byteString(path)) },
    });
  }
  unlinkSync(path);
  return undefined;
}

/** Marks the places of a file that hold what they should. @returns how many bytes these are */
function keepRightPlaces(path: Buffer, wanted: WantedBuilder, first: number, end: number): number {
  let rightBytes = 0;
  const descriptor = openToRead(path);
  try {
    for (let number = first; number < end; number++) {
      const { position, plainLength, id } = wanted.place(number);
      const bytes = readAt(descriptor, Buffer.allocUnsafe(plainLength), position);
      if (bytes.length !== plainLength || Buffer.compare(hash('sha256', bytes, 'buffer'), id) !== 0) continue;
      wanted.keep(number);
      rightBytes += plainLength;
    }
  } finally {
    closeSync(descriptor);
  }
  return rightBytes;
}

/** Only root may read a file that its permissions keep from its owner. */
function openToRead(path: Buffer): number {
  const isReadable = process.getuid?.() === 0 || (lstatSync(path).mode & 0o400) !== 0;
  if (!isReadable) chmodSync(path, 0o600);
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
}

/** Whether a file has the size, owner, permissions, attributes and times that it should have, also after it was read. */
function isSet(files: FileTable, file: number, path: Buffer): boolean {
  const { mode, owner, times, attributes } = files.metadata(file);
  const stats = lstatSync(path, { bigint: true });
  const isOwned = process.getuid?.() !== 0 || (Number(stats.uid) === owner?.user && Number(stats.gid) === owner.group);
  return (
    isOwned &&
    Number(stats.size) === files.sizeBytes(file) &&
    Number(stats.mode & 0o7777n) === mode &&
    times !== undefined &&
    stats.mtimeNs === times[2]! * 1_000_000_000n + times[3]! &&
    hasAttributes(path, attributes)
  );
}

function makeFillable(path: Buffer, sizeBytes: number): void {
  chmodSync(path, 0o600);
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    fchmodSync(descriptor, 0o600);
    ftruncateSync(descriptor, sizeBytes);
  } finally {
    closeSync(descriptor);
  }
}
