import { byteString, displayName } from '../../format/index.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { IndexedRepository } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { ReadPool } from '../read/pool.ts';
import type { ExtractProblem } from '../snapshot-io.ts';
import type { FileTable } from './file-table.ts';
import { type FileProblem, FileWriter } from './file-writer.ts';
import { type SharedFilling, STOPPED } from './filler.ts';
import type { WantedRanges } from './wanted.ts';

/** How many ranges are on their way at once, for each thread, from a store whose objects are no files of this machine. */
const RANGES_PER_THREAD = 2;
const PROGRESS_EVERY_MS = 200;

interface Watching {
  progress: Progress;
  signal: AbortSignal;
}

/**
 * Makes the files and fills them: by packs, each read in large ranges and once, several at a time. A file is finished, with
 * its owner, permissions and times, by whoever writes the last of it.
 * @returns what could not be set on files
 */
export async function fetchFiles(
  indexed: IndexedRepository,
  pool: ReadPool,
  { files, wanted }: { files: FileTable; wanted: WantedRanges },
  watching: Watching,
): Promise<ExtractProblem[]> {
  const missing = countMissing(files, wanted);
  const problems = makeFiles(files, wanted, missing);
  if (wanted.count > 0) {
    const filling = shareFilling(indexed, files, wanted, missing);
    problems.push(...(await fill(indexed, pool, filling, wanted, watching)));
  }
  return problems.map(({ file, message }) => ({ path: displayName(byteString(files.path(file))), message }));
}

async function fill(
  indexed: IndexedRepository,
  pool: ReadPool,
  filling: SharedFilling,
  wanted: WantedRanges,
  { progress, signal }: Watching,
): Promise<FileProblem[]> {
  const stop = (): void => void Atomics.store(filling.control, STOPPED, 1);
  const endProgress = tellProgress(filling, progress);
  signal.addEventListener('abort', stop);
  try {
    await pool.runOnAll({ kind: 'begin-fill', filling });
    await fillFrom(indexed, pool, filling, wanted);
    signal.throwIfAborted();
  } catch (error) {
    stop();
    // Only when all have ended may their files be anything else.
    await pool.runOnAll({ kind: 'end-fill' });
    throw error;
  } finally {
    endProgress();
    signal.removeEventListener('abort', stop);
  }
  const answers = await pool.runOnAll({ kind: 'end-fill' });
  return answers.flatMap((answer) => (answer.kind === 'filled' ? answer.problems : []));
}

/** Where packs are files the threads read them by themselves; whatever they cannot read is asked of the store, which says why. */
async function fillFrom(
  { repository }: IndexedRepository,
  pool: ReadPool,
  { packs, control }: SharedFilling,
  wanted: WantedRanges,
): Promise<void> {
  let numbers = Array.from({ length: wanted.count }, (_, number) => number);
  if (repository.store.fileOf !== undefined) {
    const answers = await pool.runOnAll({ kind: 'fill-all' });
    numbers = answers.flatMap((answer) => (answer.kind === 'filled' ? answer.unread : []));
  }
  const work = async (): Promise<void> => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      if (Atomics.load(control, STOPPED) !== 0) return;
      const { pack, offset, length } = wanted.range(number);
      const sealed = await repository.store.get(packKey(packs[pack]!.id), { offset, length });
      await pool.run({ kind: 'fill', number, sealed });
    }
  };
  const results = await Promise.allSettled(
    Array.from({ length: pool.threadCount * RANGES_PER_THREAD }, () =>
      work().catch((error: unknown) => {
        numbers = [];
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** How many places of each file are to be written. */
function countMissing(files: FileTable, wanted: WantedRanges): Int32Array {
  const missing = new Int32Array(new SharedArrayBuffer(files.count * 4));
  for (const file of wanted.shared.placeFiles) missing[file]!++;
  return missing;
}

/** Makes the files that no thread may make by itself: those that several ranges are for, and those that need nothing. */
function makeFiles(files: FileTable, wanted: WantedRanges, missing: Int32Array): FileProblem[] {
  const writer = new FileWriter(files);
  const isSpread = spreadFiles(files, wanted);
  try {
    for (let file = 0; file < files.count; file++) {
      if (!files.stands(file) && (missing[file] === 0 || isSpread[file] === 1)) writer.create(file);
      if (missing[file] === 0) writer.finish(file);
    }
  } finally {
    writer.closeAll();
  }
  return writer.problems;
}

/** 1 for each file that more than one range is for. */
function spreadFiles(files: FileTable, wanted: WantedRanges): Uint8Array {
  const isSpread = new Uint8Array(files.count);
  const rangeOf = new Int32Array(files.count).fill(-1);
  for (let number = 0; number < wanted.count; number++) {
    const { firstBlob, endBlob } = wanted.range(number);
    for (let place = wanted.blob(firstBlob).firstPlace; place < wanted.blob(endBlob).firstPlace; place++) {
      const file = wanted.file(place);
      if (rangeOf[file] !== -1 && rangeOf[file] !== number) isSpread[file] = 1;
      rangeOf[file] = number;
    }
  }
  return isSpread;
}

function shareFilling(
  { repository, packIds }: IndexedRepository,
  files: FileTable,
  wanted: WantedRanges,
  missing: Int32Array,
): SharedFilling {
  const { store } = repository;
  return {
    files: files.shared,
    wanted: wanted.shared,
    missing,
    control: new Int32Array(new SharedArrayBuffer(2 * 4)),
    writtenBytes: new BigInt64Array(new SharedArrayBuffer(8)),
    packs: packIds.map((id) => ({ id, file: store.fileOf?.(packKey(id)) })),
  };
}

/** @returns what ends it, with the last of the bytes */
function tellProgress({ writtenBytes }: SharedFilling, progress: Progress): () => void {
  let told = 0n;
  const tell = (): void => {
    const written = Atomics.load(writtenBytes, 0);
    progress.advance({ bytes: Number(written - told) });
    told = written;
  };
  const timer = setInterval(tell, PROGRESS_EVERY_MS);
  return () => {
    clearInterval(timer);
    tell();
  };
}
