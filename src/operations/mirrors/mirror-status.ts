import { snapshotTimeMs } from '../../format/index.ts';
import type { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { measureLag } from '../../repository/index.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';

export interface MirrorStatus {
  mirror: string;
  of: string;
  /** What it lacks of its primary, and for how long the oldest of that has been there; absent when it cannot be looked at. */
  lag?: { snapshots: number; logParts: number; lagMs: number };
  /** RFC 3339: when it was last brought up to date with something new. */
  mirroredAt?: string;
  /** The last attempt, when it failed. */
  failure?: { time: string; code: string; message: string };
  /** What it holds, where its primary cannot be read: how far it is behind is not known then. */
  alone?: { snapshots: number; newest?: string };
  /** What keeps it from being looked at now. */
  error?: HoldfastError;
}

/** How far the mirrors of a repository are behind it. One that cannot be reached says so, and does not stop the others. */
export function mirrorStatus(
  workspace: Workspace,
  { name: of, repository }: OpenedRepository,
  events: readonly LedgerEvent[],
): Promise<MirrorStatus[]> {
  return Promise.all(
    workspace.mirrorsOf(of).map(async (mirror) => {
      const known = { mirror, of, ...lastRuns(mirror, events) };
      try {
        const { store } = await workspace.storeOf(mirror);
        return { ...known, lag: await measureLag(repository.store, store, workspace.environment.clock.nowMs()) };
      } catch (error) {
        return { ...known, error: reportable(error, workspace.environment.signal) };
      }
    }),
  );
}

/** What the mirrors of a repository hold that cannot be read itself: they are what is left. */
export function mirrorsAlone(workspace: Workspace, of: string): Promise<MirrorStatus[]> {
  return Promise.all(
    workspace.mirrorsOf(of).map(async (mirror) => {
      try {
        const { repository } = await workspace.openToRead(mirror);
        const { snapshots } = await readableSnapshots(repository);
        const newestMs = Math.max(...snapshots.map(snapshotTimeMs));
        const newest = snapshots.length > 0 && { newest: new Date(newestMs).toISOString() };
        return { mirror, of, alone: { snapshots: snapshots.length, ...newest } };
      } catch (error) {
        return { mirror, of, error: reportable(error, workspace.environment.signal) };
      }
    }),
  );
}

function lastRuns(mirror: string, events: readonly LedgerEvent[]): Pick<MirrorStatus, 'mirroredAt' | 'failure'> {
  const runs = events.flatMap((event) => {
    const isRun = event.kind === 'mirror.finished' || event.kind === 'mirror.failed';
    return isRun && event.body.mirror === mirror ? [event] : [];
  });
  const finished = runs.findLast(({ kind }) => kind === 'mirror.finished');
  const last = runs.at(-1);
  return {
    ...(finished && { mirroredAt: finished.time }),
    ...(last?.kind === 'mirror.failed' && {
      failure: { time: last.time, code: last.body.code, message: last.body.message },
    }),
  };
}
