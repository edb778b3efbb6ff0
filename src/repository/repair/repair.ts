import { encodeIndexFile } from '../../format/index.ts';
import type { Progress } from '../../foundation/progress.ts';
import { checkKeys } from '../check/check-keys.ts';
import { checkSnapshots } from '../check/check-snapshots.ts';
import { Lost } from '../check/lost.ts';
import { type CheckReport, newReport } from '../check/report.ts';
import { DAMAGED_PREFIX, INDEX_PREFIX, idOfKey, indexKey, packKey, SNAPSHOTS_PREFIX } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import { indexOf } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { BlobPacker } from '../write/blob-packer.ts';
import { splitIndex } from '../write/session.ts';
import { examine } from './examine.ts';
import { planRepair, type RepairPlan } from './plan.ts';
import type { RepairReport } from './report.ts';

export interface RepairOptions {
  /** Whether to read every byte of every pack, and not their headers alone. */
  readData: boolean;
  /** An exclusive one; without it nothing is changed, and the report says what would be done. */
  lock: HeldLock | undefined;
  progress: Progress;
  signal: AbortSignal;
  /** Told which index files are about to be replaced, by their ids; what it throws ends the repair. */
  announce?(indexes: string[]): Promise<void>;
}

/**
 * Makes a repository consistent again from what is there: the index is made to say what the packs hold, blobs of damaged
 * packs that can be read are stored anew, and what is nowhere any more is named. No snapshot is altered, and no pack deleted: a
 * damaged one is put aside under `holdfast/damaged/`.
 *
 * It may die at any instant: what is new is durable before what it replaces goes, and running it again goes on.
 */
export async function repairRepository(repository: Repository, options: RepairOptions): Promise<RepairReport> {
  const { lock } = options;
  const examination = await examine(repository, options);
  const plan = planRepair(examination);
  const { snapshots, findings } = await whatStaysLost(repository, plan, options);
  if (lock !== undefined) await carryOut(repository, plan, { ...options, lock });
  return {
    packsIndexed: plan.packsIndexed,
    packsDropped: plan.packsDropped,
    damagedIndexFiles: plan.replacedIndexFiles.filter(({ file }) => file === undefined).map(({ key }) => key),
    blobsSalvaged: [...plan.toSalvage.values()].reduce((sum, blobs) => sum + blobs.length, 0),
    blobsLost: plan.blobsLost,
    snapshots,
    findings: findings.filter(({ severity }) => severity === 'error'),
  };
}

async function whatStaysLost(
  repository: Repository,
  plan: RepairPlan,
  { signal, progress }: { signal: AbortSignal; progress: Progress },
): Promise<CheckReport> {
  const future = indexOf(repository, [plan.future]);
  const report = newReport();
  const snapshots = await repository.documentKeys(SNAPSHOTS_PREFIX);
  await checkSnapshots(future, snapshots, { lost: new Lost(future), report, signal, progress });
  await checkKeys(repository, report);
  return report;
}

async function carryOut(
  repository: Repository,
  plan: RepairPlan,
  { lock, progress, signal, announce }: RepairOptions & { lock: HeldLock },
): Promise<void> {
  await salvage(repository, plan.toSalvage, { lock, progress, signal });
  await lock.confirm();
  for (const file of splitIndex(plan.newEntries)) {
    const id = await repository.putDocument(INDEX_PREFIX, encodeIndexFile(file));
    // What it replaces goes only when this can be read.
    await repository.getDocument(indexKey(id));
  }
  const damaged = plan.packsDropped.filter(({ reason }) => reason !== 'it is missing');
  for (const pack of damaged) pack.keptAs = await copyAside(repository, pack.pack);
  await lock.confirm();
  const replaced = plan.replacedIndexFiles.map(({ key }) => idOfKey(key)!);
  if (replaced.length > 0) await announce?.(replaced);
  for (const { key } of plan.replacedIndexFiles) await repository.store.delete(key);
  for (const { pack } of damaged) await repository.store.delete(packKey(pack));
}

/** Stores readable blobs of damaged packs in new ones. They need not be opened: they were, when the pack was examined. */
async function salvage(
  repository: Repository,
  toSalvage: RepairPlan['toSalvage'],
  { lock, progress, signal }: { lock: HeldLock; progress: Progress; signal: AbortSignal },
): Promise<void> {
  const packer = new BlobPacker(repository, { lock });
  progress.phase('salvaging blobs', { items: toSalvage.size });
  for (const [pack, blobs] of toSalvage) {
    signal.throwIfAborted();
    const bytes = await repository.store.get(packKey(pack));
    for (const { offset, length, ...blob } of blobs) {
      await packer.add(blob, new Uint8Array(bytes.subarray(offset, offset + length)));
    }
    progress.advance({ items: 1 });
  }
  await packer.finish();
}

/** Copies a damaged pack to where neither restic nor Holdfast takes it for one. Resolves to its new key. */
async function copyAside(repository: Repository, pack: string): Promise<string> {
  const key = `${DAMAGED_PREFIX}${pack}`;
  await repository.store.put(key, await repository.store.get(packKey(pack)), { bulk: true });
  return key;
}
