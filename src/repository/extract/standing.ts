import type { BigIntStats } from 'node:fs';
import { chmodSync, closeSync, constants, fchmodSync, ftruncateSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { byteString, displayName } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { ReadPool } from '../read/pool.ts';
import { hasAttributes } from './attributes.ts';
import type { FileTable } from './file-table.ts';
import type { ExtractPlan } from './plan.ts';
import { findRightPlaces } from './right-places.ts';
import type { WantedBuilder } from './wanted.ts';

/** So much of what stands is compared at a time, and no more files. */
const BATCH_BYTES = 16 * 1024 * 1024;
const BATCH_FILES = 256;
/** For each thread: one that it works on, and the next. */
const BATCHES_PER_THREAD = 2;

/** A file that stands; its places in the plan are those from `first` to before `end`. */
interface StandingFile {
  file: number;
  path: Buffer;
  first: number;
  end: number;
}

/**
 * Looks at the files that stand in a target already, from a restore that did not come to its end, or before one that replaces
 * them. Contents that are right are not fetched again; times alone are not believed, since a machine that lost its power may
 * have kept a file's times and not its bytes. What is right in all it is, is left alone.
 * @returns how many files are left alone
 * @throws target-failed where a directory is in a file's place
 */
export async function keepStandingFiles(
  files: FileTable,
  wanted: WantedBuilder,
  pool: ReadPool,
  { hardLinks, progress, signal }: Pick<ExtractPlan, 'hardLinks'> & { progress: Progress; signal: AbortSignal },
): Promise<number> {
  const stand = findStandingFiles(files, wanted, { hardLinks, signal });
  const batches = batchesOf(stand, wanted);
  // For little it is not worth to start threads.
  const threads = batches.length > 1 ? pool.threadCount : 1;
  await sideBySide(batches, threads * BATCHES_PER_THREAD, async (batch) => {
    signal.throwIfAborted();
    const places = batch.map(({ path, first, end }) => ({ path, ...wanted.places(first, end) }));
    const right = batches.length > 1 ? await pool.findRightPlaces(places) : findRightPlaces(places);
    batch.forEach(({ first }, at) => {
      progress.advance({ bytes: wanted.keep(first, right[at]!) });
    });
  });
  let kept = 0;
  for (const { file, path, first, end } of stand) {
    if (wanted.keptBytes(first, end) === files.sizeBytes(file) && isSet(files, file, path)) {
      files.setLeftAlone(file);
      kept++;
    } else {
      makeFillable(path, files.sizeBytes(file));
      files.setStanding(file, { hadContent: true });
    }
  }
  return kept;
}

/** What will not do is removed. */
function findStandingFiles(
  files: FileTable,
  wanted: WantedBuilder,
  { hardLinks, signal }: Pick<ExtractPlan, 'hardLinks'> & { signal: AbortSignal },
): StandingFile[] {
  const furtherNames = Map.groupBy(hardLinks, ({ existing }) => existing);
  const stand: StandingFile[] = [];
  let place = 0;
  for (let file = 0; file < files.count; file++) {
    signal.throwIfAborted();
    const first = place;
    while (place < wanted.count && wanted.file(place) === file) place++;
    // What the repository has lost cannot be made right.
    if (files.isLeftAlone(file)) continue;
    const path = files.path(file);
    const names = furtherNames.get(file) ?? [];
    if (standing(path, (found) => found.isFile() && hasNamesAmong(found, names)) === undefined) continue;
    letRead(path);
    stand.push({ file, path, first, end: place });
  }
  return stand;
}

/** Whether a file has no name but the one it was found by and some of these: what is written to it reaches no other file. */
function hasNamesAmong(found: BigIntStats, further: ExtractPlan['hardLinks']): boolean {
  return found.nlink === 1n + BigInt(further.filter(({ path }) => isFile(path, found)).length);
}

/** Whether a path is a name of this very file. */
export function isFile(path: Buffer, { dev, ino }: BigIntStats): boolean {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.ino === ino && found.dev === dev;
}

/** Large files are cut, small ones are put together. */
function batchesOf(stand: readonly StandingFile[], wanted: WantedBuilder): StandingFile[][] {
  const batches: StandingFile[][] = [];
  let bytes = BATCH_BYTES;
  for (const whole of stand) {
    for (let first = whole.first; first < whole.end; ) {
      if (bytes >= BATCH_BYTES || batches.at(-1)!.length >= BATCH_FILES) {
        batches.push([]);
        bytes = 0;
      }
      let end = first;
      while (end < whole.end && bytes < BATCH_BYTES) bytes += wanted.plainLength(end++);
      batches.at(-1)!.push({ ...whole, first, end });
      first = end;
    }
  }
  return batches;
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

/** Only root may read a file that its permissions keep from its owner. */
function letRead(path: Buffer): void {
  const isReadable = process.getuid?.() === 0 || (lstatSync(path).mode & 0o400) !== 0;
  if (!isReadable) chmodSync(path, 0o600);
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
