import type { Source as PlanSource } from '../../plan/index.ts';
import { measureLag } from '../../repository/index.ts';
import type { Sample } from '../alerts/facts/samples.ts';
import { logStatus } from '../log/log-status.ts';
import { isPartial, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import { usedBytes } from '../status/capacity.ts';
import { reportable, type Workspace } from '../workspace.ts';

/** How far a mirror is behind. That one of the two stores cannot be looked at is what was found. */
export async function sampleMirror(workspace: Workspace, { name, of }: { name: string; of: string }): Promise<Sample> {
  return sampled(workspace, async (nowMs) => {
    const { store } = await workspace.storeOf(name);
    const { repository } = await workspace.open(of);
    return (await measureLag(repository.store, store, nowMs)).lagMs;
  });
}

/** How much a repository or mirror takes: its value is bytes, not milliseconds. It lists all of the store. */
export async function sampleRepository(workspace: Workspace, name: string): Promise<Sample> {
  return sampled(workspace, async () => usedBytes((await workspace.storeOf(name)).store));
}

/** How old the newest moment is that a source's log, or else its newest complete backup, leads to. */
export async function sampleLog(workspace: Workspace, source: PlanSource): Promise<Sample> {
  return sampled(workspace, async (nowMs) => {
    const opened = await workspace.open(source.repository);
    const { snapshots } = await readableSnapshots(opened.repository);
    const log = await logStatus(workspace, opened, source, await opened.ledger.read());
    const complete = snapshotsOf(snapshots, workspace.plan.name, source.name).filter((each) => !isPartial(each));
    const moments = [complete.at(-1)?.time, log.time].flatMap((time) => (time === undefined ? [] : [Date.parse(time)]));
    return moments.length === 0 ? undefined : Math.max(0, nowMs - Math.max(...moments));
  });
}

/** @param look gives undefined where nothing is known. @throws the reason of the signal */
async function sampled(
  { environment: { clock, signal } }: Workspace,
  look: (nowMs: number) => Promise<number | undefined>,
): Promise<Sample> {
  const timeMs = clock.nowMs();
  try {
    const valueMs = await look(timeMs);
    return valueMs === undefined ? { timeMs, error: 'nothing is known of it' } : { timeMs, valueMs };
  } catch (error) {
    signal.throwIfAborted();
    return { timeMs, error: reportable(error, signal).message };
  }
}
