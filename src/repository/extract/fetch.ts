import { rmSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { byteString, displayName } from '../../format/index.ts';
import type { HoldfastError } from '../../foundation/errors.ts';
import { trimMemory } from '../../foundation/posix.ts';
import type { Progress } from '../../foundation/progress.ts';
import { allOver, awaitedLater, settled, sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore } from '../../store/index.ts';
import type { IndexedRepository } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { ReadPool } from '../read/pool.ts';
import { ReadWindow } from '../read/read-window.ts';
import type { Repository } from '../repository.ts';
import type { ExtractProblem } from '../snapshot-io.ts';
import { FileTable } from './file-table.ts';
import { type FileProblem, FileWriter } from './file-writer.ts';
import { CONTROL_CELLS, Filler, type SharedFilling, STOPPED, type UnreadRange } from './filler.ts';
import { isLoss, type LostContent, neededBy } from './lost-content.ts';
import { shareToSync, syncAlong } from './sync-along.ts';
import type { WantedRange, WantedRanges } from './wanted.ts';

/**
 * So much of a store whose objects are no files of this machine is on its way at once, or waits for a thread: what a line of
 * 1.3 GB a second holds within 20 ms.
 */
const AHEAD_BYTES = 26 * 1024 * 1024;
/** More than a store bears at once. */
const RANGES_AHEAD = 64;
/** Fewer ranges are read before a thread has started. */
const RANGES_WORTH_A_THREAD = 4;
const PROGRESS_EVERY_MS = 200;
/** So many files are made before what comes from a store is looked at. */
const FILES_AT_ONCE = 256;

interface Watching {
  progress: Progress;
  signal: AbortSignal;
}

export interface FetchOptions extends Watching {
  isSyncedAfterwards?: boolean;
  /** Takes what the repository has lost; left out, that ends it. */
  lost: LostContent | undefined;
}

/**
 * Makes the files and fills them: by packs, each read in large ranges and once, several at a time. A file is finished, with
 * its owner, permissions and times, by whoever writes the last of it.
 * Of a file that lacks some of its content nothing is left.
 * @returns what could not be set on files
 */
export async function fetchFiles(
  indexed: IndexedRepository,
  pool: ReadPool,
  { files, wanted }: { files: FileTable; wanted: WantedRanges },
  { isSyncedAfterwards = false, lost, ...watching }: FetchOptions,
): Promise<ExtractProblem[]> {
  const missing = countMissing(files, wanted);
  if (wanted.count > 0) trimMemory();
  const making = awaitedLater(makeFiles(files, wanted, missing));
  const problems: FileProblem[] = [];
  if (wanted.count > 0) {
    const toSync = isSyncedAfterwards ? shareToSync(files) : undefined;
    const filling = { ...shareFilling(indexed, files, wanted, missing), toSync };
    const endSyncing = toSync && syncAlong(files, toSync);
    try {
      problems.push(...(await fill(indexed, pool, { filling, wanted, lost }, { ...watching, making })));
    } finally {
      await endSyncing?.();
    }
  }
  const all = [...(await making), ...problems];
  for (const file of lost?.files ?? []) if (!files.isLeftAlone(file)) rmSync(files.path(file), { force: true });
  return all.map(({ file, message }) => ({ path: displayName(byteString(files.path(file))), message }));
}

/** What is to be filled. */
interface Work {
  filling: SharedFilling;
  wanted: WantedRanges;
  lost: LostContent | undefined;
}

async function fill(
  indexed: IndexedRepository,
  pool: ReadPool,
  work: Work,
  { progress, signal, making }: Watching & { making: Promise<unknown> },
): Promise<FileProblem[]> {
  const { filling } = work;
  const stop = (): void => void Atomics.store(filling.control, STOPPED, 1);
  const endProgress = tellProgress(filling, progress);
  const own = new Filler(indexed.repository.key, filling, true);
  const end = async (): Promise<FileProblem[]> => {
    own.end();
    const answers = await pool.runOnAll({ kind: 'end-fill' });
    return [...own.problems, ...answers.flatMap((answer) => (answer.kind === 'filled' ? answer.problems : []))];
  };
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) stop();
    if (indexed.repository.store.fileOf === undefined) await fillFromStore(indexed, pool, own, { ...work, making });
    else await making.then(() => fillFromFiles(indexed, pool, own, work));
    signal.throwIfAborted();
  } catch (error) {
    stop();
    // Only when all have ended may their files be anything else.
    await settled(making);
    await end();
    throw error;
  } finally {
    endProgress();
    signal.removeEventListener('abort', stop);
  }
  return end();
}

/** The threads, and this one too, read packs by themselves. What cannot be read is asked of the store, which says why. */
async function fillFromFiles(
  { repository }: IndexedRepository,
  pool: ReadPool,
  own: Filler,
  work: Work,
): Promise<void> {
  const { filling, wanted } = work;
  const helpers = wanted.count < RANGES_WORTH_A_THREAD ? 0 : pool.threadCount - 1;
  const helping = awaitedLater(
    pool.runOnAll({ kind: 'begin-fill', filling }, helpers).then(() => pool.runOnAll({ kind: 'fill-all' }, helpers)),
  );
  const unread: UnreadRange[] = [];
  try {
    // Between two ranges there is time for signals, and to tell how far it is.
    while (own.fillNext(unread)) await setImmediate();
  } finally {
    await settled(helping);
  }
  unread.push(...(await helping).flatMap((answer) => (answer.kind === 'filled' ? answer.unread : [])));
  for (const range of unread) await fillAgain(repository, own, work, range);
}

/**
 * Fills what is left of a range from the store, or, where that is damaged, from wherever it may be had. What cannot be had
 * from anywhere is lost: a damaged blob alone, or all that is left where the pack is missing. Where a range cannot be had, since
 * the pack ends too early, each blob of it is read alone.
 */
async function fillAgain(
  repository: Repository,
  own: Filler,
  work: Work,
  { number, from: first }: UnreadRange,
): Promise<void> {
  const { filling, wanted, lost } = work;
  const { endBlob } = wanted.range(number);
  let isEachAlone = false;
  for (let from = first; from < endBlob; ) {
    const part = wanted.part(number, from, isEachAlone ? from + 1 : endBlob);
    const { at, isRead, loss } = await fillPart(repository, own, work, { number, part });
    from = at;
    if (loss === undefined) continue;
    if (lost === undefined) {
      throw neededBy(new FileTable(filling.files).path(wanted.file(wanted.blob(from).firstPlace)), loss);
    }
    if (!isRead && !isEachAlone && loss.code !== 'object-missing') {
      isEachAlone = true;
      continue;
    }
    const end = loss.code === 'object-missing' ? endBlob : from + 1;
    for (; from < end; from++) loseBlob(lost, wanted, from, loss);
  }
}

/** @returns the blob that it came to, whether any bytes came, and what is lost of them */
async function fillPart(
  repository: Repository,
  own: Filler,
  { filling }: Work,
  { number, part }: { number: number; part: WantedRange },
): Promise<{ at: number; isRead: boolean; loss?: HoldfastError }> {
  let at = part.firstBlob;
  let isRead = false;
  const fillRest = (sealed: Uint8Array): void => {
    isRead = true;
    own.at = at;
    try {
      own.fill({ number, from: at }, sealed, part);
    } finally {
      at = own.at;
    }
  };
  try {
    await repository.read(packKey(filling.packs[part.pack]!.id), fillRest, part);
    return { at, isRead };
  } catch (error) {
    if (!isLoss(error)) throw error;
    return { at, isRead, loss: error };
  }
}

function loseBlob(lost: LostContent, wanted: WantedRanges, number: number, reason: HoldfastError): void {
  const { firstPlace, endPlace } = wanted.blob(number);
  for (let place = firstPlace; place < endPlace; place++) lost.addFile(wanted.file(place), reason);
}

/**
 * Ranges are fetched here, ahead of the threads, which fill them; the first while files are made and threads start. From both
 * ends in turn: two threads that write to one large file wait for each other.
 */
async function fillFromStore(
  { repository }: IndexedRepository,
  pool: ReadPool,
  own: Filler,
  { making, ...work }: Work & { making: Promise<unknown> },
): Promise<void> {
  const { filling, wanted } = work;
  const ready = awaitedLater(allOver([making, pool.runOnAll({ kind: 'begin-fill', filling }, pool.threadCount)]));
  const unread: UnreadRange[] = [];
  const window = new ReadWindow(AHEAD_BYTES);
  const numbers = Array.from({ length: wanted.count }, (_, at) =>
    at % 2 === 0 ? at >> 1 : wanted.count - 1 - (at >> 1),
  );
  await sideBySide(numbers, RANGES_AHEAD, async (number) => {
    const region = await window.take(wanted.range(number).length);
    try {
      if (Atomics.load(filling.control, STOPPED) !== 0) return;
      const range = { number, from: wanted.range(number).firstBlob };
      const sealed = await readRange(repository.store, filling, wanted, { number, into: region.bytes });
      await ready;
      const answer = sealed && (await pool.run({ kind: 'fill', range, sealed }));
      if (answer === undefined) unread.push(range);
      else if (answer.kind === 'filled') unread.push(...answer.unread);
    } finally {
      window.give(region);
    }
  });
  await ready;
  for (const range of unread) await fillAgain(repository, own, work, range);
}

/** Undefined when the pack is missing or too short: it may be had from somewhere else. */
async function readRange(
  store: ObjectStore,
  { packs }: SharedFilling,
  wanted: WantedRanges,
  { number, into }: { number: number; into: Uint8Array },
): Promise<Uint8Array | undefined> {
  const { pack, offset, length } = wanted.range(number);
  try {
    return await store.get(packKey(packs[pack]!.id), { offset, length }, { into });
  } catch (error) {
    if (isLoss(error)) return undefined;
    throw error;
  }
}

/** How many places of each file are to be written. */
function countMissing(files: FileTable, wanted: WantedRanges): Int32Array {
  const missing = new Int32Array(new SharedArrayBuffer(files.count * 4));
  for (const file of wanted.shared.placeFiles) missing[file]!++;
  return missing;
}

/** Makes the files that no thread may make by itself: those that several ranges are for, and those that need nothing. */
async function makeFiles(files: FileTable, wanted: WantedRanges, missing: Int32Array): Promise<FileProblem[]> {
  const writer = new FileWriter(files);
  const isSpread = spreadFiles(files, wanted);
  try {
    for (let file = 0; file < files.count; file++) {
      if (file % FILES_AT_ONCE === 0) await setImmediate();
      if (files.isLeftAlone(file)) continue;
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
): Omit<SharedFilling, 'toSync'> {
  const { store } = repository;
  return {
    files: files.shared,
    wanted: wanted.shared,
    missing,
    control: new Int32Array(new SharedArrayBuffer(CONTROL_CELLS * 4)),
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
