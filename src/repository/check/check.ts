import { type IndexFile, packTrailerBytes } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import { DATA_PREFIX, idOfKey, MARKS_PREFIX, packKey, SNAPSHOTS_PREFIX } from '../layout.ts';
import { indexOf, readIndexFiles } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { checkKeys } from './check-keys.ts';
import { checkHeaders, judgePacks, listingsOf, type ReadPack, readPacks } from './check-packs.ts';
import { checkSnapshots } from './check-snapshots.ts';
import { Lost } from './lost.ts';
import { addError, addNote, type CheckReport, newReport } from './report.ts';
import type { PackSize } from './subset.ts';

export interface CheckOptions {
  /** Whether to read every byte of the packs, or of those that `select` gives. */
  readData: boolean;
  /** Which of the packs that are there are read; all, when left out. */
  select?: (packs: readonly PackSize[]) => readonly PackSize[];
  /** Whether to hold the header of every other pack against the index. */
  readHeaders?: boolean;
  /** Ends it: nothing that could not be read since is told as damage. */
  signal: AbortSignal;
  progress: Progress;
}

/**
 * Checks a repository: every document, key file and mark is read; that every pack is there with the size that the index gives it; with
 * `readHeaders` that each lists what the index says; with `readData` every byte of the packs, and that they hold what the
 * index says; every tree that a snapshot reaches, and that all that it needs is there and was not found damaged. Damage is a
 * finding, not an exception.
 * @throws the signal's reason
 */
export async function checkRepository(repository: Repository, options: CheckOptions): Promise<CheckReport> {
  const { progress, signal } = options;
  const report = newReport();
  // A backup beside it puts packs, then an index of them, then its snapshot. What is listed before that which it needs is
  // whole, however many of them end meanwhile.
  const snapshots = await repository.documentKeys(SNAPSHOTS_PREFIX);
  const sizes = await listPacks(repository);
  const packs = [...sizes].map(([id, sizeBytes]): PackSize => ({ id, sizeBytes }));
  const whole = options.readData ? (options.select?.(packs) ?? packs) : [];
  // Begun first: the threads are at work while the index is read here.
  const reading = whole.length === 0 ? undefined : awaitedLater(readPacks(repository, whole, { signal, progress }));
  try {
    return await checkBeside(repository, options, { report, snapshots, sizes, packs, whole, reading });
  } finally {
    if (reading !== undefined) await settled(reading);
  }
}

interface Begun {
  report: CheckReport;
  /** Keys of those that were there at the beginning. */
  snapshots: readonly string[];
  sizes: Map<string, number>;
  packs: readonly PackSize[];
  whole: readonly PackSize[];
  reading: Promise<ReadPack[]> | undefined;
}

async function checkBeside(
  repository: Repository,
  { readHeaders = false, signal, progress }: CheckOptions,
  { report, snapshots, sizes, packs, whole, reading }: Begun,
): Promise<CheckReport> {
  const files = await readIndexFiles(repository, (key, error) => addError(report, key, error.message));
  const indexed = indexOf(repository, files);
  const lost = new Lost(indexed);
  checkIndex(files, await sizesOf(repository, files, sizes), report, lost);
  const context = { repository, listings: listingsOf(files), report, lost, signal, progress };
  if (reading !== undefined) judgePacks(context, await reading);
  if (readHeaders) {
    const isRead = new Set(whole.map(({ id }) => id));
    await checkHeaders(
      context,
      packs.filter(({ id }) => !isRead.has(id)),
    );
  }
  await checkSnapshots(indexed, snapshots, { lost, report, signal, progress });
  await checkKeys(repository, report);
  await checkMarks(repository, report);
  return report;
}

/** What a prune has marked and nobody can read, none removes: it takes no harm, and stays. */
async function checkMarks(repository: Repository, report: CheckReport): Promise<void> {
  for (const key of await repository.documentKeys(MARKS_PREFIX)) {
    try {
      await repository.getDocument(key);
    } catch (error) {
      // Swept since it was listed.
      if (isHoldfastError(error, 'object-missing')) continue;
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      addError(report, key, `${error.message}; it may be deleted, and the next prune makes another`);
    }
  }
}

/** The packs that are there, with their sizes in bytes. */
export async function listPacks(repository: Repository): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of repository.store.list(DATA_PREFIX)) {
    const id = idOfKey(key);
    if (id !== undefined) sizes.set(id, sizeBytes);
  }
  return sizes;
}

/** The packs that are there, looked for once more where the index has some that were put after the first listing. */
async function sizesOf(
  repository: Repository,
  files: readonly IndexFile[],
  sizes: Map<string, number>,
): Promise<Map<string, number>> {
  const isKnown = files.every(({ packs }) => packs.every(({ id }) => sizes.has(id)));
  return isKnown ? sizes : new Map([...sizes, ...(await listPacks(repository))]);
}

/** Holds what the index says against the packs that are there. */
function checkIndex(files: readonly IndexFile[], sizes: Map<string, number>, report: CheckReport, lost: Lost): void {
  const known = new Set<string>();
  for (const pack of files.flatMap(({ packs }) => packs)) {
    known.add(pack.id);
    report.blobs += pack.blobs.length;
    const bytes = pack.blobs.reduce((sum, blob) => sum + blob.length, packTrailerBytes(pack.blobs));
    if (new Set(pack.blobs.map(({ type }) => type)).size > 1) {
      addNote(report, packKey(pack.id), 'the pack mixes trees and data, as old versions of restic did');
    }
    const size = sizes.get(pack.id);
    if (size === bytes) continue;
    lost.addPack(pack.id);
    const message = size === undefined ? 'the pack is missing' : `the pack has ${size} bytes, the index says ${bytes}`;
    addError(report, packKey(pack.id), message);
  }
  report.packs = known.size;
  const toDelete = new Set(files.flatMap(({ packsToDelete = [] }) => packsToDelete.map(({ id }) => id)));
  for (const id of sizes.keys()) {
    if (known.has(id)) continue;
    const whose = toDelete.has(id) ? 'rustic is about to remove it' : 'a run that was interrupted may have left it';
    addNote(report, packKey(id), `no index knows this pack; ${whose}`);
  }
}
