import { type IndexFile, packTrailerBytes } from '../../format/index.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { indexOf, readIndexFiles } from '../indexed.ts';
import { DATA_PREFIX, idOfKey, packKey } from '../layout.ts';
import { ReadPool } from '../read/pool.ts';
import type { Repository } from '../repository.ts';
import { checkSnapshots } from './check-snapshots.ts';
import { listingDigest } from './inspect-pack.ts';
import { Lost } from './lost.ts';
import { addError, addNote, type CheckReport } from './report.ts';

/**
 * Checks a repository: every document is read; that every pack is there with the size that the index gives it; with
 * `readData` every byte of every pack, and that it holds what the index says; every tree that a snapshot reaches, and that
 * all that it needs is there and was not found damaged. Damage is a finding, not an exception.
 */
export async function checkRepository(
  repository: Repository,
  options: { readData: boolean; progress: Progress },
): Promise<CheckReport> {
  const report: CheckReport = { snapshots: 0, packs: 0, blobs: 0, bytesRead: 0, findings: [] };
  const sizes = await listPacks(repository);
  const files = await readIndexFiles(repository, (key, error) => addError(report, key, error.message));
  const indexed = indexOf(repository, files);
  const lost = new Lost(indexed);
  checkIndex(files, sizes, report, lost);
  if (options.readData) await readPacks(repository, { sizes, files, report, lost }, options.progress);
  await checkSnapshots(indexed, lost, report, options.progress);
  return report;
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
  for (const id of sizes.keys()) {
    if (known.has(id)) continue;
    addNote(report, packKey(id), 'no index knows this pack; a run that was interrupted may have left it');
  }
}

interface PacksToRead {
  sizes: Map<string, number>;
  files: readonly IndexFile[];
  report: CheckReport;
  lost: Lost;
}

async function readPacks(
  repository: Repository,
  { sizes, files, report, lost }: PacksToRead,
  progress: Progress,
): Promise<void> {
  const packs = [...sizes.keys()];
  const listings = new Map(files.flatMap((file) => file.packs.map(({ id, blobs }) => [id, listingDigest(blobs)])));
  progress.phase('reading packs', {
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    items: packs.length,
  });
  await using pool = new ReadPool(repository.key);
  const readPack = async (pack: string): Promise<void> => {
    try {
      const bytes = await repository.store.get(packKey(pack));
      report.bytesRead += bytes.byteLength;
      const { messages, damaged, blobs } = await pool.inspect(pack, bytes);
      const listing = blobs && listingDigest(blobs);
      if (listing !== undefined && listing !== (listings.get(pack) ?? listing)) {
        messages.push('its header lists other blobs than the index');
      }
      if (listing === undefined) lost.addPack(pack);
      for (const { id, type } of damaged) lost.addBlob(id, type);
      for (const message of messages) addError(report, packKey(pack), message);
    } catch (error) {
      lost.addPack(pack);
      addError(report, packKey(pack), messageOf(error));
    }
  };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < packs.length; at = next++) {
      await readPack(packs[at]!);
      progress.advance({ bytes: sizes.get(packs[at]!)!, items: 1 });
    }
  };
  await Promise.all(Array.from({ length: pool.threadCount + 1 }, work));
}
