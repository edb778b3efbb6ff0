import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { SnapshotChecked, VerifiedSource } from '../../ledger/index.ts';
import { hasLog, type Source as PlanSource, type Verification } from '../../plan/index.ts';
import { type CheckedPoints, checkPoints, type StoredSnapshot } from '../../repository/index.ts';
import { decidingEvents, endOfLastShare } from '../deciding-events.ts';
import { Reading } from '../reading.ts';
import { readableSnapshots, walSnapshotsOf } from '../snapshots-of.ts';
import { pickSnapshot } from '../verify/pick-snapshot.ts';
import type { Workspace } from '../workspace.ts';
import { notRun, type VerifiedRepository } from './verified.ts';

/**
 * So much of all packs each run reads in turn beside what it was to look at: a recovery point that nobody picks is read as
 * well, all of a repository within 25 runs. Checks of the upkeep go on where this ended, and the other way round.
 */
const SHARE_IN_TURN = { fraction: 0.04, text: '4%' };
/** So much of what is wrong is recorded of one snapshot. */
const RECORDED_PROBLEMS = 5;

/** A recovery point to be read: the backup, and the log behind it as far as it is in snapshots. */
interface Point {
  source: string;
  snapshot: StoredSnapshot;
  log: StoredSnapshot[];
}

/**
 * Reads every byte of a recovery point of each source, and some more of the repository in turn, and records what was found.
 * @throws what keeps the repository from being read
 */
export async function checkSources(
  workspace: Workspace,
  {
    repository: name,
    sources,
    verification,
    random,
  }: { repository: string; sources: readonly PlanSource[]; verification: Verification; random: () => number },
): Promise<VerifiedRepository> {
  const { clock, signal } = workspace.environment;
  const started = clock.monotonicMs();
  const opened = await workspace.openToRead(name, { uncached: true });
  const progress = workspace.environment.progress(name);
  const reading = await Reading.begin(opened, clock, { whole: true });
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    const missing: { verified: VerifiedSource; error: HoldfastError }[] = [];
    const points = sources.flatMap((source): Point[] => {
      const snapshot = pickSnapshot(workspace, snapshots, source.name, { ...verification, random });
      if (snapshot !== undefined)
        return [{ source: source.name, snapshot, log: logBehind(workspace, snapshots, source, snapshot) }];
      missing.push(notRun(source.name, withoutSnapshot(source.name)));
      return [];
    });
    const trees = new Set(points.flatMap(({ snapshot, log }) => [snapshot, ...log].map(({ tree }) => tree)));
    const turn = { fraction: SHARE_IN_TURN.fraction, after: endOfLastShare(name, await decidingEvents(opened.ledger)) };
    // What is looked for is what is wrong, and not what could be had from elsewhere.
    const found = await checkPoints(opened.repository.healedBy(undefined), [...trees], { signal, progress, turn });
    const verified = await recorded(reading, points, found);
    const problems = [...found.turn.problems, ...damaged.map(({ message }) => message)];
    await reading.record('check.finished', {
      repository: name,
      readData: true,
      subset: SHARE_IN_TURN.text,
      ...(found.turn.readUntil !== undefined && { readUntil: found.turn.readUntil }),
      clean: problems.length === 0 && verified.every(({ state }) => state !== 'failed'),
      errors: problems.length + found.points.reduce((sum, point) => sum + point.problems.length, 0),
      durationMs: clock.monotonicMs() - started,
    });
    return {
      sources: [...verified, ...missing.map(({ verified: each }) => each)],
      damaged: problems,
      errors: missing.map(({ error }) => error),
    };
  } finally {
    progress.finish();
    await reading.end();
  }
}

function logBehind(
  { plan }: Workspace,
  snapshots: readonly StoredSnapshot[],
  source: PlanSource,
  base: StoredSnapshot,
): StoredSnapshot[] {
  if (!hasLog(source)) return [];
  const baseMs = snapshotTimeMs(base);
  return walSnapshotsOf(snapshots, plan.name, source.name).filter((each) => snapshotTimeMs(each) >= baseMs);
}

function withoutSnapshot(source: string): HoldfastError {
  return new HoldfastError('unknown-snapshot', `${source} has no snapshot`, {
    hint: `Take one with \`holdfast backup ${source}\`.`,
  });
}

/** Records of each snapshot what was found. A point is what its backup and its log are. */
async function recorded(
  reading: Reading,
  points: readonly Point[],
  { points: checked }: CheckedPoints,
): Promise<VerifiedSource[]> {
  const byTree = new Map(checked.map((each) => [each.tree, each]));
  const verified: VerifiedSource[] = [];
  for (const { source, snapshot, log } of points) {
    const problems: string[] = [];
    let bytes = 0;
    for (const { id, tree } of [snapshot, ...log]) {
      const found = byTree.get(tree)!;
      const event: SnapshotChecked = {
        ...{ source, snapshot: id, tree, packs: found.packs, bytes: found.bytes },
        state: found.problems.length === 0 ? 'checked' : 'failed',
        ...(found.problems.length > 0 && { problems: found.problems.slice(0, RECORDED_PROBLEMS) }),
      };
      await reading.record('snapshot.checked', event);
      problems.push(...found.problems);
      bytes += found.bytes;
    }
    const { id, tree, time } = snapshot;
    const state = problems.length === 0 ? 'checked' : 'failed';
    const message = problems.length === 0 ? undefined : `${problems.length} problems, first ${problems[0]}`;
    verified.push({ source, state, snapshot: id, tree, time, bytes, ...(message !== undefined && { message }) });
  }
  return verified;
}
