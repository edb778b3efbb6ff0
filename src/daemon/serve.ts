import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { pauseUntilAborted } from '../foundation/pause.ts';
import { letOthersGoFirst } from '../foundation/priority.ts';
import { noProgress, type Progress } from '../foundation/progress.ts';
import { awaitedLater, settled } from '../foundation/promises.ts';
import { type Environment, reportable, Workspace } from '../operations/index.ts';
import type { LoadedPlan } from '../plan/index.ts';
import { LoadedPlans } from './api/daemon-handle.ts';
import { ApiBeside, type ApiSettings } from './api/serve-api.ts';
import { Daemon, type DaemonOptions, problemsOf } from './daemon.ts';
import { Driver } from './drive.ts';
import { memoryDuties } from './duties/memory.ts';
import { DUTIES, dutiesWithoutRepository } from './duties.ts';
import type { Log } from './log.ts';
import { Sole } from './sole.ts';
import { Waiting } from './waiting.ts';

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
  /** How often a repository that is away at the start is tried: every 10 seconds, when left out. */
  openEveryMs?: number;
  /** How the API is served beside it; it is not, when left out. */
  api?: ApiSettings;
  /** Has a function called whenever the plan is to be loaded again: the last one that was given. */
  onReload(reload: () => void): void;
  /** Told that something has not ended though it was told to: the process is to end without it. */
  left?(): void;
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
  const { log } = request;
  const api = request.api && new ApiBeside(request.api, log);
  const environment = { ...request.environment, progress: (about: string) => notesTo(log, about) };
  const { clock, signal } = environment;
  const started = new Date(clock.nowMs()).toISOString();
  await letOthersGoFirst({ hasUrgentWork: true });
  const plans = new LoadedPlans(request.loadPlan);
  const losing = new AbortController();
  const ended = AbortSignal.any([signal, losing.signal]);
  const serving: Serving = { request, environment, plans, api, losing, ended, loaded: await plans.load() };
  try {
    const pause = pauseUntilAborted(ended);
    const driver = new Driver(clock, (milliseconds) => settled(pause(milliseconds)));
    const daemon = await opened(serving, { pause, driver });
    if (daemon !== undefined) await run(serving, daemon, driver);
    log.info('stopped');
  } finally {
    await api?.stop();
  }
  if (losing.signal.aborted) throw losing.signal.reason;
  return { started, stopped: new Date(clock.nowMs()).toISOString() };
}

/** What one call of `serve` goes by. */
interface Serving {
  request: ServeRequest;
  environment: Environment;
  plans: LoadedPlans;
  api: ApiBeside | undefined;
  /** Aborted once another daemon has taken over. */
  losing: AbortController;
  /** Aborted when it is to end, for whatever reason. */
  ended: AbortSignal;
  loaded: LoadedPlan;
}

async function run(serving: Serving, daemon: Daemon, driver: Driver): Promise<void> {
  const { request, environment, plans, api, losing, ended, loaded } = serving;
  const { log, onReload, left } = request;
  try {
    await api?.listen(environment.version);
    await daemon.start();
    onReload(() => {
      void api?.reload();
      awaitedLater(daemon.reload());
    });
    // It was told to between the two.
    if (serving.loaded.plan !== daemon.workspace.plan) await settled(daemon.reload());
    await api?.start(daemon, plans, () => !losing.signal.aborted);
    const { version } = environment;
    log.info('started', {
      ...{ version, plan: loaded.path, pid: process.pid, tasks: daemon.tasks.length, node: process.version },
    });
    await driver.run(daemon, ended);
  } finally {
    // What is under way is told to end before the last calls are answered.
    const stopped = awaitedLater(
      daemon.stop(losing.signal.aborted ? 'another daemon has taken over' : 'it was told to'),
    );
    await api?.stop();
    if (!(await stopped)) left?.();
  }
}

/** What work tells of itself; how far it is nobody watches. */
function notesTo(log: Log, about: string): Progress {
  return { ...noProgress, note: (message) => log.info(message, { about }) };
}

interface Opening {
  pause(milliseconds: number): Promise<void>;
  driver: Driver;
}

/**
 * Waits for a repository that is away: what is due cannot be known without it.
 * @returns undefined where it was told to end before
 */
async function opened(serving: Serving, opening: Opening): Promise<Daemon | undefined> {
  const { request, environment, api, ended } = serving;
  const { log, openEveryMs: everyMs = OPEN_EVERY_MS } = request;
  let waiting: Waiting | undefined;
  request.onReload(() => void reloaded(serving));
  try {
    if (request.isTakingOver) await listenMeanwhile(serving);
    for (;;) {
      try {
        return await openOnce(serving, opening);
      } catch (error) {
        if (ended.aborted) return undefined;
        if (!isHoldfastError(error) || !error.retryable) throw error;
        log.error('the repository cannot be reached; it is tried again until it can', { error: error.message });
      }
      await api?.listen(environment.version);
      waiting ??= new Waiting({
        environment: { ...environment, signal: ended },
        ...{ loaded: serving.loaded, log, duties: [dutiesWithoutRepository(everyMs)] },
      });
      await settled(opening.pause(everyMs));
      if (ended.aborted) return undefined;
    }
  } finally {
    await waiting?.end();
  }
}

/** One who stands by on the same machine leaves the address to the other one for as long as that is there. */
async function listenMeanwhile({ request: { log }, environment, api }: Serving): Promise<void> {
  try {
    await api?.listen(environment.version);
  } catch (error) {
    if (!isHoldfastError(error, 'address-unavailable')) throw error;
    log.info('the API has no address yet', { error: error.message });
  }
}

/** Before there is a daemon that goes by the plan: the next attempt goes by the new one. */
async function reloaded(serving: Serving): Promise<void> {
  const { plans, request, api } = serving;
  void api?.reload();
  try {
    serving.loaded = await plans.load();
    request.log.info('the plan was loaded again', { plan: serving.loaded.path });
  } catch (error) {
    const problems = problemsOf(reportable(error, serving.ended));
    request.log.error('the plan was refused; the one that was loaded before still holds', { problems });
  }
}

async function openOnce(serving: Serving, { pause, driver }: Opening): Promise<Daemon> {
  const { request, plans, api, losing, loaded } = serving;
  const { log, isTakingOver } = request;
  const options: DaemonOptions = {
    ...{ environment: serving.environment, loaded, log, load: plans.load },
    ...{ isFollowing: request.isFollowing, woken: driver.wake },
    duties: [...(api === undefined ? DUTIES : [...DUTIES.map(api.linked), () => [api.duty]]), memoryDuties],
  };
  const lost = (error: HoldfastError): void => losing.abort(error);
  const { environment } = options;
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
