import type { IndexFile } from '../../format/index.ts';
import { isHoldfastError, messageOf } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { DATA_PREFIX, packKey } from '../layout.ts';
import { ReadPool } from '../read/pool.ts';
import { readPackHeader } from '../read-header.ts';
import type { Repository } from '../repository.ts';
import { type Inspection, listingDigest } from './inspect-pack.ts';
import { inspectStored } from './inspect-stored.ts';
import type { Lost } from './lost.ts';
import { addError, type CheckReport } from './report.ts';
import type { PackSize } from './subset.ts';

/** How many headers are read at the same time. */
const PARALLEL_HEADERS = 8;

export interface PackCheck {
  repository: Repository;
  /** `listingDigest` of what the index says that a pack holds, by pack. */
  listings: ReadonlyMap<string, string>;
  report: CheckReport;
  lost: Lost;
  signal: AbortSignal;
  progress: Progress;
}

export function listingsOf(files: readonly IndexFile[]): Map<string, string> {
  return new Map(files.flatMap((file) => file.packs.map(({ id, blobs }) => [id, listingDigest(blobs)])));
}

/** Holds the headers of packs against the index. */
export async function checkHeaders(check: PackCheck, packs: readonly PackSize[]): Promise<void> {
  const { repository, report, lost, signal, progress } = check;
  progress.phase("reading packs' headers", { items: packs.length });
  let offline = 0;
  await sideBySide(packs, PARALLEL_HEADERS, async (pack) => {
    signal.throwIfAborted();
    try {
      compareListings(check, pack.id, listingDigest(await readPackHeader(repository, pack)));
    } catch (error) {
      signal.throwIfAborted();
      if (isHoldfastError(error, 'object-offline')) {
        offline++;
        return;
      }
      lost.addPack(pack.id);
      addError(report, packKey(pack.id), `its header cannot be read: ${messageOf(error)}`);
    }
    progress.advance({ items: 1 });
  });
  addOffline(report, offline, 'the header was not read');
}

/** What could not be looked at is not lost, and not known to be right. */
function addOffline(report: CheckReport, packs: number, what: string): void {
  if (packs === 0) return;
  const message = `${what} of ${packs === 1 ? '1 pack' : `${packs} packs`}, which must be asked for hours before by their storage class`;
  addError(report, DATA_PREFIX, message);
}

/** What a look at every byte of a pack found, or why there was none. */
export type ReadPack = { pack: string; bytes: number; inspection: Inspection } | { pack: string; error: unknown };

/**
 * Reads and authenticates every byte of packs. What is found is small, and judged later: the index need not be there yet.
 * @throws the signal's reason
 */
export async function readPacks(
  repository: Repository,
  packs: readonly PackSize[],
  { signal, progress }: { signal: AbortSignal; progress: Progress },
): Promise<ReadPack[]> {
  const bytes = packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  progress.phase('reading packs', { bytes, items: packs.length });
  await using pool = new ReadPool(repository.key);
  const read: ReadPack[] = [];
  await sideBySide(packs, pool.threadCount + 1, async ({ id, sizeBytes }) => {
    signal.throwIfAborted();
    const found = await readPack(repository, pool, id);
    signal.throwIfAborted();
    read.push(found);
    progress.advance({ bytes: sizeBytes, items: 1 });
  });
  return read;
}

async function readPack({ store }: Repository, pool: ReadPool, pack: string): Promise<ReadPack> {
  try {
    return { pack, ...(await inspectStored(store, pool, pack)) };
  } catch (error) {
    return { pack, error };
  }
}

/** Holds what packs were found to hold against the index. */
export function judgePacks(check: PackCheck, packs: readonly ReadPack[]): void {
  const { report, lost } = check;
  const isOffline = (read: ReadPack): boolean => 'error' in read && isHoldfastError(read.error, 'object-offline');
  addOffline(report, packs.filter(isOffline).length, 'nothing was read');
  for (const read of packs) {
    const { pack } = read;
    if (isOffline(read)) continue;
    if ('error' in read) {
      lost.addPack(pack);
      addError(report, packKey(pack), messageOf(read.error));
      continue;
    }
    const { messages, damaged, listing } = read.inspection;
    report.packsRead++;
    report.bytesRead += read.bytes;
    for (const message of messages) addError(report, packKey(pack), message);
    if (listing === undefined) lost.addPack(pack);
    else compareListings(check, pack, listing);
    for (const { id, type } of damaged) lost.addBlob(id, type);
  }
}

/** @param listing `listingDigest` of what its header lists */
function compareListings({ listings, report, lost }: PackCheck, pack: string, listing: string): void {
  if (listing === (listings.get(pack) ?? listing)) return;
  lost.addPack(pack, 'whose header says otherwise than the index');
  addError(report, packKey(pack), 'its header lists other blobs than the index');
}
