import type { MiddlewareHandler } from 'hono';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { gatherFigures, gatherPeriods, openTokens, type Workspace } from '../../operations/index.ts';
import { holdsRepository } from '../../repository/index.ts';
import type { ApiApplication } from './api.ts';
import type { Authentication } from './authentication.ts';
import type { CallRecord } from './call-record.ts';
import type { ApiContext } from './context.ts';
import { Latest } from './latest.ts';
import { Metrics } from './metrics.ts';
import type { Served } from './served.ts';

const FIGURES_FRESH_MS = 60_000;
/** What a month comes to changes little in so long. */
const PERIODS_FRESH_MS = 15 * 60_000;
const REACHED_FRESH_MS = 15_000;
/** Of the time of one processor. */
const SHARE = 0.005;
/** Who watches waits no more than ten seconds, as a rule, and takes no answer for a daemon that is down. */
const WAIT_MS = 5000;

export interface ProbeOptions {
  context: ApiContext;
  authentication: Authentication;
  calls: CallRecord;
  /** Whether only this machine reaches the API: then metrics take no token. */
  isLocal: boolean;
}

/** What watches the daemon from outside: `/healthz`, `/readyz` and `/metrics`. */
export function addProbes(
  application: ApiApplication,
  { context, authentication, calls, isLocal }: ProbeOptions,
): void {
  const { daemon, clock, version, log } = context;
  const metrics = new Metrics(version, clock);
  const gathering =
    <T>(gather: (workspace: Workspace) => Promise<T>) =>
    async (): Promise<T> => {
      try {
        return await gather(daemon.workspace());
      } catch (error) {
        const context = { error: messageOf(error) };
        log.error('the figures of the plan cannot be gathered; metrics show the last ones', context);
        throw error;
      }
    };
  const periods = new Latest(gathering(gatherPeriods), {
    clock,
    freshMs: PERIODS_FRESH_MS,
    share: SHARE,
    waitMs: WAIT_MS,
  });
  const figures = new Latest(gathering(gatherFigures), {
    clock,
    freshMs: FIGURES_FRESH_MS,
    share: SHARE,
    waitMs: WAIT_MS,
  });
  const reached = new Latest(() => reach(context), { clock, freshMs: REACHED_FRESH_MS, share: 1, waitMs: WAIT_MS });
  const readiness = async () => {
    const { error, isLate } = await reached.get();
    const repository = error === undefined && !isLate;
    const lease = daemon.holdsLease();
    return { ready: repository && lease, lease, repository };
  };
  application.get('/healthz', (c) => c.json({ alive: true }));
  application.get('/readyz', async (c) => {
    const state = await readiness();
    return c.json(state, state.ready ? 200 : 503);
  });
  const scraped: MiddlewareHandler<Served> = async (c, next) => {
    if (isLocal) return next();
    const caller = await authentication.identify(c);
    if (caller instanceof Response) return caller;
    c.set('caller', caller);
    await next();
    await calls.called(caller, { method: 'GET', path: '/metrics', route: '/metrics', status: c.res.status });
  };
  application.get('/metrics', scraped, async (c) => {
    const [{ gathered, error }, byPeriod, { ready: isReady }] = await Promise.all([
      figures.get(),
      periods.get(),
      readiness(),
    ]);
    const { unwritten } = daemon;
    const workspace = daemon.workspace();
    const { type, body } = await metrics.text({
      figures: gathered,
      periods: byPeriod.gathered?.value,
      hasFailed: error !== undefined || gathered === undefined,
      workspace,
      isReady,
      unwritten,
    });
    return c.body(body, 200, { 'Content-Type': type });
  });
}

/** @throws where the repository is out of reach, or is not what it was */
async function reach({ daemon }: ApiContext): Promise<void> {
  const { repository } = await openTokens(daemon.workspace());
  if (await holdsRepository(repository.store)) return;
  throw new HoldfastError('no-repository', 'the repository is gone');
}
