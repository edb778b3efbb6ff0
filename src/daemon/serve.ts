import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { pauseUntilAborted } from '../foundation/pause.ts';
import { letOthersGoFirst } from '../foundation/priority.ts';
import { noProgress, type Progress } from '../foundation/progress.ts';
import { awaitedLater, settled } from '../foundation/promises.ts';
import { type Environment, Workspace } from '../operations/index.ts';
import type { LoadedPlan } from '../plan/index.ts';
import { LoadedPlans } from './api/daemon-handle.ts';
import { ApiBeside, type ApiSettings } from './api/serve-api.ts';
import { Daemon, type DaemonOptions } from './daemon.ts';
import { Driver } from './drive.ts';
import { memoryDuties } from './duties/memory.ts';
import { DUTIES } from './duties.ts';
import type { Log } from './log.ts';
import { Sole } from './sole.ts';

/** How often a repository that is away at the start is tried. */
const OPEN_EVERY_MS = 10_000;

export interface ServeRequest {
  /** Its signal ends the daemon in good order. */
  environment: Environment;
  /** Reads the plan's file. @throws plan-not-found, plan-invalid */
  loadPlan(): Promise<LoadedPlan>;
  log: Log;
  /** Whether what is continuous is followed by this process. */
  isFollowing: boolean;
  /** Whether to wait for the end of another daemon of the same plan. */
  isTakingOver: boolean;
  /** How the API is served beside it; it is not, when left out. */
  api?: ApiSettings;
  /** Has a function called whenever the plan is to be loaded again. */
  onReload(reload: () => void): void;
}

/** What a daemon that was told to stop has done. */
export interface Served {
  /** RFC 3339. */
  started: string;
  stopped: string;
}

/**
 * Runs a plan until the signal is aborted.
 * @throws what keeps it from running: plan-invalid, daemon-running, no-repository, wrong-password …; lock-lost once another
 * daemon has taken over
 */
export async function serve(request: ServeRequest): Promise<Served> {
  const { log, onReload } = request;
  const api = request.api && new ApiBeside(request.api, log);
  const plans = new LoadedPlans(request.loadPlan);
  const environment = { ...request.environment, progress: (about: string) => notesTo(log, about) };
  const { clock, signal, version } = environment;
  const started = new Date(clock.nowMs()).toISOString();
  letOthersGoFirst();
  const loaded = await plans.load();
  const losing = new AbortController();
  const ended = AbortSignal.any([signal, losing.signal]);
  const pause = pauseUntilAborted(ended);
  const driver = new Driver(clock, (milliseconds) => settled(pause(milliseconds)));
  const options: DaemonOptions = {
    ...{ environment, loaded, log, load: plans.load, isFollowing: request.isFollowing, woken: driver.wake },
    duties: [...(api === undefined ? DUTIES : [...DUTIES.map(api.linked), () => [api.duty]]), memoryDuties],
  };
  const daemon = await opened(request, options, { pause, lost: (error) => losing.abort(error) });
  try {
    await daemon.start();
    await api?.start(daemon, plans, () => !losing.signal.aborted);
    onReload(() => {
      void api?.reload();
      awaitedLater(daemon.reload());
    });
    const { path: plan } = loaded;
    log.info('started', { version, plan, pid: process.pid, tasks: daemon.tasks.length, node: process.version });
    await driver.run(daemon, ended);
  } finally {
    await api?.stop();
    await daemon.stop(losing.signal.aborted ? 'another daemon has taken over' : 'it was told to');
    log.info('stopped');
  }
  if (losing.signal.aborted) throw losing.signal.reason;
  return { started, stopped: new Date(clock.nowMs()).toISOString() };
}

/** What work tells of itself; how far it is nobody watches. */
function notesTo(log: Log, about: string): Progress {
  return { ...noProgress, note: (message) => log.info(message, { about }) };
}

interface Opening {
  pause(milliseconds: number): Promise<void>;
  lost(error: HoldfastError): void;
}

/** Waits for a repository that is away: what is due cannot be known without it. */
async function opened(request: ServeRequest, options: DaemonOptions, opening: Opening): Promise<Daemon> {
  for (;;) {
    try {
      return await openOnce(request, options, opening);
    } catch (error) {
      if (request.environment.signal.aborted || !isHoldfastError(error) || !error.retryable) throw error;
      request.log.error('the repository cannot be reached; it is tried again', { error: error.message });
    }
    await opening.pause(OPEN_EVERY_MS);
  }
}

async function openOnce(
  { log, isTakingOver }: ServeRequest,
  options: DaemonOptions,
  { pause, lost }: Opening,
): Promise<Daemon> {
  const { environment, loaded } = options;
  const { clock } = environment;
  const workspace = new Workspace(loaded, { ...environment, signal: new AbortController().signal });
  const { stateDirectory } = environment;
  if (stateDirectory === undefined) {
    throw new HoldfastError('bad-usage', 'there is no directory to keep the state of the daemon in', {
      hint: 'Set XDG_STATE_HOME, or HOME, to an absolute path that this user may write to.',
    });
  }
  const sole = await Sole.claim({ workspace, stateDirectory, clock, pause, log, isWaiting: isTakingOver, lost });
  try {
    return await Daemon.open({ ...options, sole });
  } catch (error) {
    await sole.release();
    throw error;
  }
}
