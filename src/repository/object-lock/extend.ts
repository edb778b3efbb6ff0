import type { Clock } from '../../foundation/clock.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore, ObjectVersion } from '../../store/index.ts';
import { packKey } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { findHidden, type HiddenSearch } from './hidden.ts';
import { isLocked } from './locked-objects.ts';
import { type KeptSnapshots, neededObjects, neededPacks } from './needed-objects.ts';
import { type HeldRecord, type LockPeriod, readHeldRecord, writeHeldRecord } from './record.ts';
import { lockIn, versionsByKey } from './versions.ts';

const PARALLEL_REQUESTS = 8;

export interface ExtendOptions extends LockPeriod {
  /** Where the copy of the repository lies whose objects are locked. */
  store: ObjectStore;
  /** Which snapshots the plan keeps. Asked only when something may be due. */
  snapshots(): Promise<KeptSnapshots>;
  namedAsRemoved: HiddenSearch['namedAsRemoved'];
  clock: Clock;
  signal: AbortSignal;
  progress: Progress;
}

/** `untilMs` is until when all that is needed is locked at least. */
export interface Extended extends Pick<HeldRecord, 'untilMs' | 'lookedMs'> {
  /** Versions whose lock was made longer. */
  objects: number;
}

/**
 * Keeps all locked that the kept snapshots need. When under half of the period is left, each needed object's lock is made
 * longer, by one request for each; until then this is one request. What is hidden is kept, too: it can still be put right.
 * @throws repository-damaged, permission-denied; the store's errors
 */
export async function extendLocks(repository: Repository, options: ExtendOptions): Promise<Extended> {
  const { store, mode, forMs, clock } = options;
  const record = await readHeldRecord(repository, store);
  const isSame = record?.mode === mode && record.forMs === forMs;
  if (!isSame || record.untilMs - clock.nowMs() < forMs / 2) return passOver(repository, options);
  return record.unneeded.length === 0 ? { objects: 0, ...record } : lockNeededAgain(repository, record, options);
}

async function passOver(repository: Repository, options: ExtendOptions): Promise<Extended> {
  const { store, mode, forMs, clock, signal, progress } = options;
  const lock = lockIn(store);
  progress.phase('looking at what is locked');
  // Listed before the snapshots: what comes later is locked by who writes it.
  const versions = await versionsByKey(lock, '');
  const needed = await neededObjects(repository, await options.snapshots(), options);
  const hidden = await findHidden(repository, { store, versions, namedAsRemoved: options.namedAsRemoved });
  const behind = hidden.map(({ version }) => version);
  const shown = [...versions.values()].map(([newest]) => newest!).filter(({ isMarker }) => !isMarker);
  const due = [...behind, ...shown].filter(({ key }) => isLocked(key) && needed.isNeeded(key));
  progress.phase('making locks longer', { items: due.length });
  const untilMs = clock.nowMs() + forMs;
  await extendEach(store, due, { ...options, untilMs });
  signal.throwIfAborted();
  const lookedMs = hidden.length === 0 ? clock.nowMs() : 0;
  await writeHeldRecord(repository, store, { mode, forMs, untilMs, lookedMs, unneeded: needed.unneeded });
  return { objects: due.length, untilMs, lookedMs };
}

/** Snapshots that came since the last pass may need packs whose locks were left as they were. */
async function lockNeededAgain(repository: Repository, record: HeldRecord, options: ExtendOptions): Promise<Extended> {
  const { store, clock } = options;
  const { kept } = await options.snapshots();
  const { needed } = await neededPacks(repository, kept, options);
  const again = record.unneeded.filter((id) => needed.has(id));
  const versions: ObjectVersion[] = [];
  for (const id of again) {
    for await (const version of lockIn(store).listVersions(packKey(id))) if (!version.isMarker) versions.push(version);
  }
  await extendEach(store, versions, { ...options, untilMs: clock.nowMs() + record.forMs });
  if (again.length > 0) {
    const unneeded = record.unneeded.filter((id) => !needed.has(id));
    await writeHeldRecord(repository, store, { ...record, unneeded });
  }
  return { objects: versions.length, ...record };
}

async function extendEach(
  store: ObjectStore,
  versions: readonly ObjectVersion[],
  { mode, untilMs, signal, progress }: ExtendOptions & { untilMs: number },
): Promise<void> {
  const lock = lockIn(store);
  await sideBySide(versions, PARALLEL_REQUESTS, async (version) => {
    signal.throwIfAborted();
    try {
      await lock.extend(version, { mode, untilMs });
    } catch (error) {
      // Removed since it was listed: then nobody needs it.
      if (!isHoldfastError(error, 'object-missing')) throw error;
    }
    progress.advance({ items: 1 });
  });
}
