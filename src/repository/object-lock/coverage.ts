import type { Clock } from '../../foundation/clock.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore, ObjectVersion, Retention } from '../../store/index.ts';
import type { Finding } from '../check/report.ts';
import type { Repository } from '../repository.ts';
import { findHidden, type HiddenObject, type HiddenSearch } from './hidden.ts';
import { isLocked } from './locked-objects.ts';
import { type KeptSnapshots, neededObjects } from './needed-objects.ts';
import { type HeldRecord, type LockPeriod, writeHeldRecord } from './record.ts';
import { lockIn, versionsByKey } from './versions.ts';

const PARALLEL_REQUESTS = 8;
/** With less than this part of the period left, nobody has extended a lock that should have been. */
const SHORT_SHARE = 1 / 4;

export interface CoverageOptions extends LockPeriod, Pick<HiddenSearch, 'namedAsRemoved'> {
  store: ObjectStore;
  snapshots(): Promise<KeptSnapshots>;
  clock: Clock;
  signal: AbortSignal;
  progress: Progress;
}

export interface Coverage {
  /** Objects that are needed, and so are to be locked. */
  needed: number;
  /** Those of them whose lock is as it should be. */
  covered: number;
  findings: Finding[];
}

/**
 * Asks the store for the lock of every object that is needed, and believes no record: the record is made anew from what the
 * store says.
 */
export async function checkCoverage(repository: Repository, options: CoverageOptions): Promise<Coverage> {
  const { store, mode, forMs, clock, signal, progress, namedAsRemoved } = options;
  const lock = lockIn(store);
  const { keepsVersions, locks } = await lock.state();
  if (!keepsVersions || !locks) {
    const lacks = keepsVersions ? 'cannot lock objects' : 'keeps no versions of objects';
    const message = `the bucket ${lacks}, although the plan has them locked`;
    return { needed: 0, covered: 0, findings: [{ severity: 'error', where: store.location, message }] };
  }
  progress.phase('looking at versions');
  const versions = await versionsByKey(lock, '');
  const needed = await neededObjects(repository, await options.snapshots(), options);
  const hidden = await findHidden(repository, { store, versions, namedAsRemoved });
  const isHidden = new Set(hidden.map(({ key }) => key));
  const shown = [...versions.values()].map(([newest]) => newest!);
  const visible = shown.filter(({ key, isMarker }) => !isMarker && !isHidden.has(key));
  const asked = [...hidden.map(({ version }) => version), ...visible].filter(
    ({ key }) => isLocked(key) && needed.isNeeded(key),
  );
  progress.phase('looking at locks', { items: asked.length });
  const findings: Finding[] = hidden.map(findingOfHidden);
  let leastMs = clock.nowMs() + forMs;
  const judged = await sideBySide(asked, PARALLEL_REQUESTS, async (version) => {
    signal.throwIfAborted();
    const retention = await lock.lockOf(version);
    progress.advance({ items: 1 });
    leastMs = Math.min(leastMs, retention?.untilMs ?? 0);
    return judge(version, retention, { mode, forMs, nowMs: clock.nowMs() });
  });
  const uncovered = judged.filter((each) => each !== undefined);
  findings.push(...uncovered.sort((a, b) => (a.where < b.where ? -1 : 1)));
  // With something uncovered, the next pass goes over everything.
  const untilMs = uncovered.length === 0 ? leastMs : 0;
  await rebuildRecord(repository, store, {
    ...{ mode, forMs, untilMs, unneeded: needed.unneeded },
    lookedMs: hidden.length === 0 ? clock.nowMs() : 0,
  });
  return { needed: asked.length, covered: asked.length - uncovered.length, findings };
}

/** Who only looks, with credentials to read, leaves the record as it is. */
async function rebuildRecord(repository: Repository, store: ObjectStore, record: HeldRecord): Promise<void> {
  try {
    await writeHeldRecord(repository, store, record);
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
  }
}

/** What is said of an object that somebody hid. */
export function findingOfHidden({ key, how, version }: HiddenObject): Finding {
  const since = how === 'deleted' ? 'behind a delete marker' : 'behind another content';
  const written = new Date(version.modifiedMs).toISOString();
  const message = `it is hidden ${since}, and no record says that it was to go; what was written ${written} is still there: \`holdfast repair\` brings it back`;
  return { severity: 'error', where: key, message };
}

function judge(
  { key }: ObjectVersion,
  retention: Retention | undefined,
  { mode, forMs, nowMs }: LockPeriod & { nowMs: number },
): Finding | undefined {
  const error = (message: string): Finding => ({ severity: 'error', where: key, message });
  if (retention === undefined) return error('it is not locked');
  const until = new Date(retention.untilMs).toISOString();
  if (retention.untilMs <= nowMs) return error(`its lock ran out ${until}`);
  if (mode === 'compliance' && retention.mode !== mode) {
    return error(`it is locked in mode ${retention.mode}, and the plan says ${mode}`);
  }
  const isShort = retention.untilMs - nowMs < forMs * SHORT_SHARE;
  return isShort ? error(`its lock runs out ${until}, and was not made longer`) : undefined;
}
