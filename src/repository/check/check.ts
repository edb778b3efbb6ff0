import { decodeIndexFile, decodeTree, displayName, packTrailerBytes } from '../../format/index.ts';
import { isHoldfastError, messageOf } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { type IndexedRepository, loadIndex } from '../indexed.ts';
import { DATA_PREFIX, INDEX_PREFIX, idOfKey, packKey, SNAPSHOTS_PREFIX } from '../layout.ts';
import { ReadPool } from '../read/pool.ts';
import type { Repository } from '../repository.ts';
import { readSnapshot, type StoredSnapshot } from '../snapshots.ts';

/** Something wrong with a repository, or worth knowing about it. */
export interface Finding {
  severity: 'error' | 'note';
  /** What it is about: an object's key, or a snapshot and a path in it. */
  where: string;
  message: string;
}

export interface CheckReport {
  snapshots: number;
  packs: number;
  blobs: number;
  /** Bytes of packs that were read and authenticated. */
  bytesRead: number;
  findings: Finding[];
}

/**
 * Checks a repository: every document is read; every tree that a snapshot reaches, and that the index knows every blob of
 * every file; that every pack is there with the size that the index gives it; with `readData` every byte of every pack.
 * Damage is a finding, not an exception.
 */
export async function checkRepository(
  repository: Repository,
  options: { readData: boolean; progress: Progress },
): Promise<CheckReport> {
  const report: CheckReport = { snapshots: 0, packs: 0, blobs: 0, bytesRead: 0, findings: [] };
  const sizes = await listPacks(repository);
  const indexed = await checkIndex(repository, sizes, report);
  if (indexed === undefined) return report;
  await checkSnapshots(indexed, report, options.progress);
  if (options.readData) await readPacks(repository, sizes, report, options.progress);
  return report;
}

async function listPacks(repository: Repository): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of repository.store.list(DATA_PREFIX)) {
    const id = idOfKey(key);
    if (id !== undefined) sizes.set(id, sizeBytes);
  }
  return sizes;
}

/** Holds what the index says against the packs that are there. */
async function checkIndex(
  repository: Repository,
  sizes: Map<string, number>,
  report: CheckReport,
): Promise<IndexedRepository | undefined> {
  const known = new Set<string>();
  for (const key of await repository.documentKeys(INDEX_PREFIX)) {
    try {
      for (const pack of decodeIndexFile(await repository.getDocument(key)).packs) {
        known.add(pack.id);
        report.blobs += pack.blobs.length;
        const bytes = pack.blobs.reduce((sum, blob) => sum + blob.length, packTrailerBytes(pack.blobs));
        const size = sizes.get(pack.id);
        if (size === undefined) addError(report, packKey(pack.id), 'the pack is missing');
        else if (size !== bytes)
          addError(report, packKey(pack.id), `the pack has ${size} bytes, the index says ${bytes}`);
      }
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      addError(report, key, error.message);
    }
  }
  report.packs = known.size;
  for (const id of sizes.keys()) {
    if (!known.has(id))
      report.findings.push({
        severity: 'note',
        where: packKey(id),
        message: 'no index knows this pack; a run that was interrupted may have left it',
      });
  }
  return report.findings.some(({ severity, where }) => severity === 'error' && where.startsWith(INDEX_PREFIX))
    ? undefined
    : loadIndex(repository);
}

async function checkSnapshots(indexed: IndexedRepository, report: CheckReport, progress: Progress): Promise<void> {
  const keys = await indexed.repository.documentKeys(SNAPSHOTS_PREFIX);
  progress.phase('checking snapshots', { items: keys.length });
  const seen = new Set<string>();
  for (const key of keys) {
    try {
      const snapshot = await readSnapshot(indexed.repository, key);
      report.snapshots++;
      await checkTree(indexed, snapshot, snapshot.tree, '', seen, report);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      addError(report, key, error.message);
    }
    progress.advance({ items: 1 });
  }
}

async function checkTree(
  indexed: IndexedRepository,
  snapshot: StoredSnapshot,
  tree: string,
  path: string,
  seen: Set<string>,
  report: CheckReport,
): Promise<void> {
  if (seen.has(tree)) return;
  seen.add(tree);
  const where = (name = ''): string => `snapshot ${snapshot.id.slice(0, 8)} ${displayName(path + name) || '/'}`;
  let nodes: ReturnType<typeof decodeTree>;
  try {
    nodes = decodeTree(await indexed.readBlob(tree));
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    addError(report, where(), error.message);
    return;
  }
  for (const node of nodes) {
    const missing = (node.content ?? []).filter((id) => !indexed.table.has(Buffer.from(id, 'hex')));
    if (missing.length > 0)
      addError(
        report,
        where(`/${node.name}`),
        `${missing.length} of its blobs are in no pack, the first is ${missing[0]}`,
      );
    if (node.type !== 'dir') continue;
    if (node.subtree === undefined) addError(report, where(`/${node.name}`), 'the directory has no tree');
    else await checkTree(indexed, snapshot, node.subtree, `${path}/${node.name}`, seen, report);
  }
}

async function readPacks(
  repository: Repository,
  sizes: Map<string, number>,
  report: CheckReport,
  progress: Progress,
): Promise<void> {
  const packs = [...sizes.keys()];
  progress.phase('reading packs', {
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    items: packs.length,
  });
  await using pool = new ReadPool(repository.key);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < packs.length; at = next++) {
      const pack = packs[at]!;
      await readPack(repository, pool, pack, report);
      progress.advance({ bytes: sizes.get(pack)!, items: 1 });
    }
  };
  await Promise.all(Array.from({ length: pool.threadCount + 1 }, work));
}

async function readPack(repository: Repository, pool: ReadPool, pack: string, report: CheckReport): Promise<void> {
  try {
    const bytes = await repository.store.get(packKey(pack));
    report.bytesRead += bytes.byteLength;
    for (const { blob, message } of await pool.inspect(bytes, pack)) {
      addError(report, packKey(pack), blob === undefined ? message : `blob ${blob}: ${message}`);
    }
  } catch (error) {
    addError(report, packKey(pack), messageOf(error));
  }
}

function addError(report: CheckReport, where: string, message: string): void {
  report.findings.push({ severity: 'error', where, message });
}
