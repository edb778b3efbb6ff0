import type { IndexFile, PackedBlob } from '../../format/index.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { packKey } from '../layout.ts';
import { ReadPool } from '../read/pool.ts';
import { readPackHeader } from '../read-header.ts';
import type { Repository } from '../repository.ts';
import { listingDigest } from './inspect-pack.ts';
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
  progress: Progress;
}

export function listingsOf(files: readonly IndexFile[]): Map<string, string> {
  return new Map(files.flatMap((file) => file.packs.map(({ id, blobs }) => [id, listingDigest(blobs)])));
}

/** Holds the headers of packs against the index. */
export async function checkHeaders(check: PackCheck, packs: readonly PackSize[]): Promise<void> {
  const { repository, report, lost, progress } = check;
  progress.phase("reading packs' headers", { items: packs.length });
  await sideBySide(packs, PARALLEL_HEADERS, async (pack) => {
    try {
      compareListings(check, pack.id, await readPackHeader(repository, pack));
    } catch (error) {
      lost.addPack(pack.id);
      addError(report, packKey(pack.id), `its header cannot be read: ${messageOf(error)}`);
    }
    progress.advance({ items: 1 });
  });
}

/** Reads and authenticates every byte of packs, and holds what they hold against the index. */
export async function readPacks(check: PackCheck, packs: readonly PackSize[]): Promise<void> {
  const { repository, progress } = check;
  const bytes = packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  progress.phase('reading packs', { bytes, items: packs.length });
  await using pool = new ReadPool(repository.key);
  await sideBySide(packs, pool.threadCount + 1, async ({ id, sizeBytes }) => {
    await readPack(check, pool, id);
    progress.advance({ bytes: sizeBytes, items: 1 });
  });
}

async function readPack(check: PackCheck, pool: ReadPool, pack: string): Promise<void> {
  const { repository, report, lost } = check;
  try {
    const bytes = await repository.store.get(packKey(pack));
    report.packsRead++;
    report.bytesRead += bytes.byteLength;
    const { messages, damaged, blobs } = await pool.inspect(pack, bytes);
    for (const message of messages) addError(report, packKey(pack), message);
    if (blobs === undefined) lost.addPack(pack);
    else compareListings(check, pack, blobs);
    for (const { id, type } of damaged) lost.addBlob(id, type);
  } catch (error) {
    lost.addPack(pack);
    addError(report, packKey(pack), messageOf(error));
  }
}

function compareListings({ listings, report }: PackCheck, pack: string, blobs: readonly PackedBlob[]): void {
  const listing = listingDigest(blobs);
  if (listing === (listings.get(pack) ?? listing)) return;
  addError(report, packKey(pack), 'its header lists other blobs than the index');
}

async function sideBySide<T>(items: readonly T[], count: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await work(items[at]!);
  };
  await Promise.all(Array.from({ length: count }, run));
}
