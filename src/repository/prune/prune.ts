import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { packKey } from '../layout.ts';
import { assertLockable, type HeldLock, lockRepository } from '../locks.ts';
import { indexOf } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { packsOf, readMarks, writeMark } from './marks.ts';
import { isTreesAlone, type PrunePlan, planPrune } from './plan.ts';
import { repack } from './repack.ts';
import { takeStock } from './stock.ts';
import { type Removal, type Swept, sweep } from './sweep.ts';
import { UsedBlobs } from './used.ts';

/** restic's default. */
const PACK_SIZE_BYTES = 16 * 1024 * 1024;
const PARALLEL_LOOKS = 8;
/** For locks, marks, events of the ledger and the index. */
const ROOM_BESIDE_COPIES_BYTES = 2 * 1024 * 1024;

export interface PruneOptions {
  clock: Clock;
  signal: AbortSignal;
  progress: Progress;
  /** Only looks at what would be done. */
  dryRun: boolean;
  /** The content of files cannot be read: of the packs that hold it only those go that nobody needs anything of. */
  isOffline?: boolean;
  /** Told before the first object of a sweep is removed. */
  announce(removal: Removal): Promise<void>;
  /** Until when a lock holds an object, by its key; undefined where none does. Nothing is held without it. */
  heldUntil?(key: string): Promise<number | undefined>;
  /** For tests. */
  packSizeBytes?: number;
}

export interface PruneReport {
  /** All packs, before. */
  packs: number;
  bytes: number;
  /** Packs that were, or would be, newly marked; their size; and how much of it is used, and so was copied first. */
  marked: { packs: number; bytes: number; copiedBytes: number };
  /** Packs that were marked before and are still there: on a dry run, and while somebody keeps them from being removed. */
  markedBefore: number;
  /** Packs that nothing needs, or little of, and that their lock holds: they stay until it has run out. */
  held: { packs: number; bytes: number };
  /** What stays unused in packs that stay: copying it would cost more than it frees. */
  leftUnusedBytes: number;
  /** How much more room the disk needs to copy what is used, where it has too little: nothing was copied then. */
  lackingBytes?: number;
  /** What was removed, of marks of this run and of earlier ones. */
  swept: Swept;
  /** Who keeps marked packs from being removed now, where somebody does: the next prune does it. */
  waitingFor?: string;
}

/**
 * Frees the space of what no snapshot needs, beside any number of our own readers and writers, in two steps.
 *
 * *Mark* copies what is used of packs that are worth it, and then names the packs that are to go; who begins after that
 * keeps off them. *Sweep* removes them once everybody who began before is gone: in this run if nobody is there, else in a
 * later one. Every step may be cut off at any instant; the next run goes on.
 * @throws repository-locked when somebody else has the repository for themselves; repository-damaged; store-unsuitable where
 *   a sweep could never be made
 */
export async function pruneRepository(repository: Repository, options: PruneOptions): Promise<PruneReport> {
  // Marks that nothing ever removes would only keep backups from building on what is there.
  if (!options.dryRun) await assertLockable(repository);
  const used = new UsedBlobs();
  const earlier = options.dryRun ? undefined : await sweepIfFree(repository, used, options);
  const report = options.dryRun
    ? await foresee(repository, used, options)
    : await markLocked(repository, used, options);
  const later = options.dryRun || report.marked.packs === 0 ? undefined : await sweepIfFree(repository, used, options);
  const last = later ?? earlier;
  return {
    ...report,
    swept: sum(earlier?.swept, later?.swept),
    ...(last?.waitingFor !== undefined && { waitingFor: last.waitingFor }),
  };
}

async function markLocked(repository: Repository, used: UsedBlobs, options: PruneOptions): Promise<PruneReport> {
  const lock = await lockRepository(repository, { exclusive: false, clock: options.clock });
  try {
    return await mark(repository, used, lock, options);
  } finally {
    await lock.release();
  }
}

/** A look needs no lock where none can be written: on a disk that is full one asks just then what a prune would free. */
async function foresee(repository: Repository, used: UsedBlobs, options: PruneOptions): Promise<PruneReport> {
  const lock = await lockRepository(repository, { exclusive: false, clock: options.clock }).catch((error: unknown) => {
    if (isHoldfastError(error, 'disk-full') || isHoldfastError(error, 'permission-denied')) return undefined;
    throw error;
  });
  try {
    return await mark(repository, used, lock, options);
  } finally {
    await lock?.release();
  }
}

/** @param lock without it, on a dry run alone */
async function mark(
  repository: Repository,
  used: UsedBlobs,
  lock: HeldLock | undefined,
  { signal, progress, dryRun, heldUntil, isOffline = false, packSizeBytes = PACK_SIZE_BYTES }: PruneOptions,
): Promise<PruneReport> {
  progress.phase('looking for what is used');
  const marked = packsOf(await readMarks(repository));
  const stock = await takeStock(repository);
  const { sizes } = stock;
  await used.add(indexOf(repository, [...stock.index.values()], marked), stock.snapshots, { signal, progress });
  const wished = planPrune(stock, used, marked, isOffline ? isTreesAlone : undefined);
  const lackingBytes = await lackOfRoom(repository, wished);
  const isCramped = lackingBytes > 0;
  const { plan, held } = await withoutHeld(isCramped ? planPrune(stock, used, marked, isNone) : wished, heldUntil);
  if (lock !== undefined && !dryRun && goingOf(plan).length > 0) {
    await repack(repository, plan.repack, { lock, signal, progress, packSizeBytes });
    await lock.confirm();
    await writeMark(repository, goingOf(plan));
  }
  return {
    packs: sizes.size,
    bytes: [...sizes.values()].reduce((total, size) => total + size, 0),
    marked: {
      packs: goingOf(plan).length,
      bytes: [...plan.remove, ...plan.repack].reduce((total, { sizeBytes }) => total + sizeBytes, 0),
      copiedBytes: plan.repack.reduce((total, { usedBytes }) => total + usedBytes, 0),
    },
    markedBefore: [...marked].filter((pack) => sizes.has(pack)).length,
    held,
    leftUnusedBytes: plan.leftUnusedBytes,
    ...(isCramped && { lackingBytes }),
    swept: NOTHING,
  };
}

const isNone = (): boolean => false;

/** The copies, and the index anew, are written before anything is removed. Zero where it is not known. */
async function lackOfRoom({ store }: Repository, { repack: copied }: PrunePlan): Promise<number> {
  if (store.stagingDirectory === undefined || copied.length === 0) return 0;
  const { bavail, bsize } = await statfs(dirname(store.stagingDirectory));
  const neededBytes = copied.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  return Math.max(0, neededBytes + ROOM_BESIDE_COPIES_BYTES - bavail * bsize);
}

/** To remove what is held would only hide it, or be refused. */
async function withoutHeld(
  plan: PrunePlan,
  heldUntil: PruneOptions['heldUntil'],
): Promise<{ plan: PrunePlan; held: PruneReport['held'] }> {
  if (heldUntil === undefined) return { plan, held: { packs: 0, bytes: 0 } };
  const candidates = [...plan.remove, ...plan.repack];
  const until = await sideBySide(candidates, PARALLEL_LOOKS, ({ id }) => heldUntil(packKey(id)));
  const held = candidates.filter((_, index) => until[index] !== undefined);
  const isFree = ({ id }: { id: string }): boolean => !held.some((each) => each.id === id);
  const repack = plan.repack.filter(isFree);
  const leftBytes = plan.repack.reduce((sum, use) => sum + (isFree(use) ? 0 : use.sizeBytes - use.usedBytes), 0);
  return {
    plan: { remove: plan.remove.filter(isFree), repack, leftUnusedBytes: plan.leftUnusedBytes + leftBytes },
    held: { packs: held.length, bytes: held.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) },
  };
}

const NOTHING: Swept = { packs: 0, bytes: 0, rescued: 0 };

function goingOf({ remove, repack: copied }: PrunePlan): string[] {
  return [...remove, ...copied].map(({ id }) => id);
}

/** Sweeps by all marks that stand. @returns undefined when there is none */
async function sweepIfFree(
  repository: Repository,
  used: UsedBlobs,
  { clock, signal, progress, announce }: PruneOptions,
): Promise<{ swept: Swept; waitingFor?: string } | undefined> {
  const marks = await readMarks(repository);
  if (marks.length === 0) return undefined;
  let lock: HeldLock;
  try {
    lock = await lockRepository(repository, { exclusive: true, besideOurs: marks.map(({ id }) => id), clock });
  } catch (error) {
    if (!isHoldfastError(error, 'repository-locked')) throw error;
    return { swept: NOTHING, waitingFor: error.message };
  }
  try {
    return { swept: await sweep(repository, marks, used, { lock, clock, signal, progress, announce }) };
  } finally {
    await lock.release();
  }
}

function sum(...parts: readonly (Swept | undefined)[]): Swept {
  const total = { ...NOTHING };
  for (const part of parts) {
    total.packs += part?.packs ?? 0;
    total.bytes += part?.bytes ?? 0;
    total.rescued += part?.rescued ?? 0;
  }
  return total;
}
