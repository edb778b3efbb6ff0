import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import type { RecoveryEnd, Sandbox, SandboxNeed, SandboxTarget } from '../../sandbox/index.ts';
import type { Manifest } from '../../source/index.ts';
import { StoredLogFiles } from '../log/log-files.ts';
import { StoredLog } from '../log/stored-log.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import { sandboxNeed } from '../verify/need.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import type { RecoveryPoint } from './recovery-point.ts';
import { targetSettings, targetText } from './recovery-target.ts';

const ENDED_BEFORE_TARGET = /recovery ended before configured recovery target was reached/;

export interface Recovered extends RecoveryEnd {
  /** The target was reached, as a person is told. */
  reached: string;
}

/**
 * Makes sure that a server of this machine can replay a log, before anything is written.
 * @returns what has it replay the log on the data directory that was restored by then, and stops it
 * @throws program-missing
 */
export async function prepareRecovery(
  workspace: Workspace,
  { repository }: OpenedRepository,
  { planned, manifest, point, path }: { planned: PlanSource; manifest: Manifest; point: RecoveryPoint; path: string },
  progress: Progress,
): Promise<() => Promise<Recovered>> {
  const { clock, signal, adapters } = workspace.environment;
  const sandbox = await adapters.createSandbox({ clock, signal });
  const owner = { plan: workspace.plan.name, source: planned.name };
  const { log, system, segmentBytes, reach } = point;
  const files = new StoredLogFiles(
    log,
    { system, segmentBytes, end: reach },
    () => StoredLog.read(repository, owner, async () => (await readableSnapshots(repository)).snapshots),
    { signal, note: (message) => progress.note(message) },
  );
  const open = (target: Record<string, string>): Promise<SandboxTarget> => {
    const settings = { recovery_target_timeline: String(reach.timeline), ...target };
    const need = { ...sandboxNeed(planned, manifest), dataDirectory: path, recovery: { files, settings } };
    return openServer(sandbox, need as SandboxNeed, progress);
  };
  await (await open({})).close();
  return async () => {
    try {
      return await replayTo(point, async (settings) => {
        progress.phase('replaying the log');
        return serve(await open(settings));
      });
    } finally {
      await files.close();
    }
  };
}

async function openServer(sandbox: Sandbox, need: SandboxNeed, progress: Progress): Promise<SandboxTarget> {
  try {
    return await sandbox.open(need, progress);
  } catch (error) {
    if (!isHoldfastError(error, 'not-provable')) throw error;
    throw new HoldfastError('program-missing', `no server of this machine can replay the log: ${error.message}`, {
      hint: `${error.hint ?? ''} A backup alone comes back with \`--snapshot latest\`.`.trim(),
      cause: error,
    });
  }
}

async function serve(place: SandboxTarget): Promise<RecoveryEnd> {
  try {
    return (await place.serve!()).recovery;
  } finally {
    await place.close();
  }
}

/**
 * A server takes it for an error when nothing comes behind a target. Where it is known that the log is all there is until
 * then, its end is the target: nothing happened in between.
 */
async function replayTo(
  { target }: RecoveryPoint,
  replay: (settings: Record<string, string>) => Promise<RecoveryEnd>,
): Promise<Recovered> {
  try {
    const end = await replay(targetSettings(target));
    return { ...end, reached: end.stopped === undefined ? 'came to the end of the log' : `${end.stopped}` };
  } catch (error) {
    const said = isHoldfastError(error) ? `${error.message} ${error.context['said'] ?? ''}` : '';
    const isCovered = target.kind === 'time' || target.kind === 'lsn';
    if (!isCovered || !ENDED_BEFORE_TARGET.test(said)) throw error;
    const end = await replay({});
    return {
      ...end,
      reached: `came to the end of the log: nothing was committed from there until ${targetText(target)}`,
    };
  }
}
