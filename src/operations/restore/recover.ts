import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { settled } from '../../foundation/promises.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { lsnText, parseLsnText } from '../../repository/index.ts';
import type { LogRecovery, RecoveryEnd, Sandbox, SandboxNeed, SandboxTarget, Served } from '../../sandbox/index.ts';
import type { LogGuard, Manifest } from '../../source/index.ts';
import { StoredLogFiles } from '../log/log-files.ts';
import { StoredLog } from '../log/stored-log.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { laidLogCommand, laidLogDirectory, layLog, refuseTakenLog } from './laid-log.ts';
import type { RecoveryPoint } from './recovery-point.ts';
import { targetSettings, targetText } from './recovery-target.ts';
import { sandboxNeed } from './sandbox-need.ts';

const ENDED_BEFORE_TARGET = /recovery ended before configured recovery target was reached/;

export interface Recovered extends RecoveryEnd {
  /** The target was reached, as a person is told. */
  reached: string;
  /** The server, as long as its sandbox is open. */
  target: Served['target'];
}

/** The log that leads to a recovery point, for a server that replays it on the backup. */
export class LogReplay {
  readonly #point: RecoveryPoint;
  readonly files: StoredLogFiles;

  /** @param progress is told of a repository that is waited for */
  constructor(
    workspace: Workspace,
    { repository }: Pick<OpenedRepository, 'repository'>,
    { planned, point }: { planned: PlanSource; point: RecoveryPoint },
    progress: Progress,
  ) {
    const { signal } = workspace.environment;
    const owner = { plan: workspace.plan.name, source: planned.name };
    const { log, system, segmentBytes, reach } = point;
    this.#point = point;
    this.files = new StoredLogFiles(
      log,
      { system, segmentBytes, end: reach, guard: guardOf(workspace, planned) },
      () => StoredLog.read(repository, owner, async () => (await readableSnapshots(repository)).snapshots),
      { signal, note: (message) => progress.note(message) },
    );
  }

  /** What a sandbox needs for it. */
  get recovery(): LogRecovery {
    return { files: this.files, settings: this.#settings(targetSettings(this.#point.target)) };
  }

  /**
   * Has the server of a sandbox, which was opened for this recovery, replay the log to the target.
   *
   * A server takes it for an error when nothing comes behind a target. Where it is known that the log is all there is until
   * then, its end is the target: nothing happened in between.
   * @throws target-failed; log-missing where the log does not have the transaction or the restore point that is the target
   */
  async run(place: SandboxTarget): Promise<Recovered> {
    const { target } = this.#point;
    try {
      const { recovery: end, target: server } = await place.serve!();
      if (end.stopped === undefined) refuseShort(this.#point, end);
      return { ...end, target: server, reached: end.stopped ?? 'came to the end of the log' };
    } catch (error) {
      const said = isHoldfastError(error) ? `${error.message} ${error.context['said'] ?? ''}` : '';
      if (target.kind === 'latest' || !ENDED_BEFORE_TARGET.test(said)) throw error;
      if (target.kind === 'xid' || target.kind === 'name') throw targetMissing(this.#point, error);
      const { recovery: end, target: server } = await place.serve!(this.#settings({}));
      refuseShort(this.#point, end);
      const reached = `came to the end of the log: nothing was committed from there until ${targetText(target)}`;
      return { ...end, target: server, reached };
    }
  }

  close(): Promise<void> {
    return this.files.close();
  }

  #settings(target: Record<string, string>): Record<string, string> {
    return { recovery_target_timeline: String(this.#point.reach.timeline), ...target };
  }
}

/** What the source has to say of a segment before a server replays it. */
function guardOf(workspace: Workspace, planned: PlanSource): LogGuard {
  let guard: Promise<LogGuard | undefined> | undefined;
  return async (segment) => {
    guard ??= workspace.createSource(planned).then((source) => source.guardReplay?.());
    await (await guard)?.(segment);
  };
}

/**
 * A server that ends its recovery early says nothing of it: the last record that it replayed must be of the last segment of
 * the log, or of the one before, where the last one has only begun.
 * @throws target-failed
 */
function refuseShort({ reach, segmentBytes }: RecoveryPoint, { redoneLsn }: RecoveryEnd): void {
  const size = BigInt(segmentBytes);
  const lastSegment = ((reach.lsn - 1n) / size) * size;
  if (redoneLsn !== undefined && parseLsnText(redoneLsn) >= lastSegment - size) return;
  throw new HoldfastError(
    'target-failed',
    `the server replayed the log only until ${redoneLsn ?? 'nowhere'}, and it is there until ${lsnText(reach.lsn)}`,
    {
      hint: 'What was restored lacks what came behind that: do not use it. Restore again, and tell those who make Holdfast.',
    },
  );
}

function targetMissing({ target, base }: RecoveryPoint, cause: unknown): HoldfastError {
  return new HoldfastError('log-missing', `the log that there is does not have ${targetText(target)}`, {
    hint: 'It may be older than the backup: without `--snapshot`, the one that it needs is searched for. If `holdfast follow` runs, what is missing may still come.',
    context: { snapshot: base.id.slice(0, 8) },
    cause,
  });
}

/** The log lies beside the data directory, and is replayed by the first server that starts on that. */
export interface Unrecovered {
  /** Why no server of this machine has replayed it. */
  reason: string;
  log: string;
  /** What a person does next, and where. */
  next: string;
}

/** What becomes of the log of a cluster that is restored. */
export interface Recovery extends AsyncDisposable {
  /** What the restored directory is to be configured with, where no server of this machine replays the log. */
  settings: Readonly<Record<string, string>> | undefined;
  /** Once the data directory is there. */
  run(): Promise<Recovered | Unrecovered>;
}

/**
 * Finds a server of this machine that can replay a log, before anything is written; where there is none, the log is laid
 * beside what is restored.
 * @returns `run` has the server replay the log on the data directory that was restored by then, and stops it
 * @throws target-not-empty where the log would go
 */
export async function prepareRecovery(
  workspace: Workspace,
  opened: OpenedRepository,
  { planned, manifest, point, path }: { planned: PlanSource; manifest: Manifest; point: RecoveryPoint; path: string },
  progress: Progress,
): Promise<Recovery> {
  const { clock, signal, adapters } = workspace.environment;
  const sandbox = await adapters.createSandbox({ clock, signal });
  const replay = new LogReplay(workspace, opened, { planned, point }, progress);
  const need = { ...sandboxNeed(planned, manifest), dataDirectory: path, recovery: replay.recovery };
  try {
    const place = await openServer(sandbox, need as SandboxNeed, progress);
    if (!isHoldfastError(place)) return replayingRecovery(replay, place, progress);
    return await layingRecovery(replay, { manifest, point, path, reason: place }, { progress, signal });
  } catch (error) {
    await settled(replay.close());
    throw error;
  }
}

/** A recovery that a server of this machine does. */
function replayingRecovery(replay: LogReplay, place: SandboxTarget, progress: Progress): Recovery {
  return {
    settings: undefined,
    run: async () => {
      progress.phase('replaying the log');
      const recovered = await replay.run(place);
      // Stopped here, so that what keeps it from ending well is told.
      await place.close();
      return recovered;
    },
    [Symbol.asyncDispose]: async () => {
      // It was closed above, or something else went wrong, which is what is told.
      await settled(place.close());
      await replay.close();
    },
  };
}

/** @returns why there is none, where that is so */
export async function openServer(
  sandbox: Sandbox,
  need: SandboxNeed,
  progress: Progress,
): Promise<SandboxTarget | HoldfastError> {
  try {
    return await sandbox.open(need, progress);
  } catch (error) {
    if (isHoldfastError(error, 'not-provable')) return error;
    throw error;
  }
}

/** A recovery that somebody else's server does. */
async function layingRecovery(
  replay: LogReplay,
  { manifest, point, path, reason }: { manifest: Manifest; point: RecoveryPoint; path: string; reason: HoldfastError },
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<Recovery> {
  await refuseTakenLog(path);
  const log = laidLogDirectory(path);
  return {
    settings: {
      // On the server they may have come from its command line, and no recovery goes on below what they were.
      ...(manifest.details['settings'] as Record<string, string>),
      restore_command: laidLogCommand(path),
      ...replay.recovery.settings,
      recovery_target_action: 'promote',
    },
    run: async () => {
      await layLog(replay.files, { directory: path, from: point.baseEnd.lsn, progress, signal });
      const next = `with PostgreSQL ${manifest.details['majorVersion']}, as the owner of both directories, at these very paths: pg_ctl -D ${shellWord(path)} -w start`;
      return { reason: reason.message, log, next };
    },
    [Symbol.asyncDispose]: () => replay.close(),
  };
}
