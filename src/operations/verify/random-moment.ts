import type { Source as PlanSource } from '../../plan/index.ts';
import type { LogPosition } from '../../repository/index.ts';
import { againAfterFold, StoredLog } from '../log/stored-log.ts';
import { basesBefore } from '../restore/recovery-point.ts';
import { readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/** Moments by the server's clock, milliseconds since 1970, each of which can be recovered. */
export interface Stretch {
  fromMs: number;
  untilMs: number;
}

/**
 * All moments that a source's log leads to: behind each backup as far as the log goes on without a gap, and no further than
 * to the end of the next backup, from which a recovery goes on there.
 * @throws repository-damaged
 */
export function recoverableStretches(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
): Promise<Stretch[]> {
  return againAfterFold(() => stretchesNow(workspace, opened, planned));
}

async function stretchesNow({ plan }: Workspace, opened: OpenedRepository, planned: PlanSource): Promise<Stretch[]> {
  const owner = { plan: plan.name, source: planned.name };
  const list = async () => (await readableSnapshots(opened.repository)).snapshots;
  const log = await StoredLog.read(opened.repository, owner, list);
  const covered = new Map<string, number | undefined>();
  const coveredUntilMs = async (system: string, reach: LogPosition): Promise<number | undefined> => {
    const key = `${system} ${reach.timeline} ${reach.lsn}`;
    if (!covered.has(key)) covered.set(key, await log.coveredUntilMs(system, reach));
    return covered.get(key);
  };
  const stretches: Stretch[] = [];
  let nextMs = Number.POSITIVE_INFINITY;
  const snapshots = snapshotsOf(await list(), owner.plan, owner.source);
  for await (const { system, end, finishedMs } of basesBefore(opened, { log, snapshots }, { kind: 'latest' })) {
    const reach = log.reachFrom(system, end);
    const untilMs = Math.min(nextMs, (reach && (await coveredUntilMs(system, reach))) ?? finishedMs);
    if (finishedMs < untilMs) stretches.push({ fromMs: finishedMs, untilMs });
    nextMs = Math.min(nextMs, finishedMs);
  }
  return stretches;
}

/** What of these is no older than so much before the newest moment. Pure. */
export function newestStretches(stretches: readonly Stretch[], backMs: number): Stretch[] {
  const oldestMs = Math.max(...stretches.map(({ untilMs }) => untilMs)) - backMs;
  return stretches.flatMap(({ fromMs, untilMs }) =>
    untilMs <= oldestMs ? [] : [{ fromMs: Math.max(fromMs, oldestMs), untilMs }],
  );
}

/**
 * A second among these, each as likely as any other. Pure.
 * @param random from 0 up to, and without, 1
 * @returns milliseconds since 1970; undefined where there is none
 */
export function pickSecond(stretches: readonly Stretch[], random: number): number | undefined {
  let left = random * stretches.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0);
  for (const { fromMs, untilMs } of stretches) {
    if (left < untilMs - fromMs) return Math.max(Math.ceil(fromMs), Math.floor((fromMs + left) / 1000) * 1000);
    left -= untilMs - fromMs;
  }
  return undefined;
}
