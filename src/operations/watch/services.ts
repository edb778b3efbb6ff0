import type { HoldfastError } from '../../foundation/errors.ts';
import type { WatchSummary } from '../../ledger/index.ts';
import type { Service } from '../../plan/index.ts';
import type { Sample } from '../alerts/facts/samples.ts';
import { eachRepository, type OfRepositories } from '../attempt-each.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { askService } from './service.ts';
import { advanceService } from './service-state.ts';
import { WatchStore, watchPath } from './watch-store.ts';
import { DAY_MS, HOUR_MS, type Seen, type SeenHour, type WatchedKind } from './watched.ts';

const LATENCY_MS = 5 * 60_000;
const AVAILABILITY_DAYS = 30;
/** Who did not ask for so many times in a row does not watch. */
const STALE_TIMES = 3;
const STALE_MS = 60_000;

/** What is up, and how well. Times are RFC 3339. */
export interface ServicesReport {
  services: WatchedService[];
  standbys: WatchedStandby[];
  /** What kept something from being known: the ledger of a repository, where one is named. */
  failures: { repository?: string; error: HoldfastError }[];
}

export interface WatchedService {
  service: string;
  from?: string;
  /** `failing`: the last answers were bad, and not yet three. `unknown`: it could not be asked. */
  state: 'up' | 'failing' | 'down' | 'unknown';
  /** Since when, as far as somebody watched; absent where nobody does. */
  since?: string;
  /** Whether somebody watches it; else it was asked just now. */
  isWatched: boolean;
  error?: string;
  /** Over the last five minutes: what 95 in a hundred answers did not exceed. */
  p95Ms?: number;
  /** The share of its requests that failed, from 0 to 1, as it was known last. */
  errorShare?: number;
  /** The share of good answers in the last days, and of how many. */
  availability?: { days: number; share: number; samples: number };
}

export interface WatchedStandby {
  standby: string;
  of: string;
  /** How far it is behind, as it was seen last; absent where that is not known. */
  lagMs?: number;
  /** When it was looked at last. */
  seen?: string;
  error?: string;
}

/**
 * What is known of the plan's services and standbys: by who watches them on this machine, and by the ledger. A service that
 * nobody watches is asked once.
 */
export async function services(workspace: Workspace): Promise<ServicesReport> {
  const { plan, environment } = workspace;
  const failures: ServicesReport['failures'] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      environment.signal.throwIfAborted();
      failures.push({ error: reportable(error, environment.signal) });
      return undefined;
    }
  };
  const store = await attempt(() => WatchStore.read(watchPath(workspace)));
  const ledgers = await attempt(() => summariesIn(workspace));
  failures.push(...(ledgers?.failures ?? []));
  const summaries = ledgers?.repositories.flat() ?? [];
  const seenOf = async (kind: WatchedKind, name: string): Promise<Seen> =>
    (store && (await attempt(() => store.seen(kind, name)))) ?? { samples: [], errorRates: [] };
  try {
    const hours = (store && (await attempt(() => store.hours(0)))) ?? [];
    const found = [...plan.services.values()].map(async (service) => {
      const nowMs = environment.clock.nowMs();
      const seen = await seenOf('service', service.name);
      const isWatched = nowMs - (seen.state?.askedMs ?? 0) <= Math.max(STALE_MS, STALE_TIMES * service.everyMs);
      const asked = isWatched ? undefined : await attempt(() => askService(service, workspace, environment.signal));
      const availability = availabilityOf(service.name, summaries, hours, nowMs);
      const known = isWatched ? seenNow(seen, nowMs) : askedNow(asked);
      return { ...nameOf(service), isWatched, ...known, ...(availability && { availability }) };
    });
    const standbys = [...plan.standbys.values()].map(async ({ name, of }): Promise<WatchedStandby> => {
      const last = (await seenOf('standby', name)).samples.at(-1);
      return { standby: name, of, ...(last && standbyNow(last)) };
    });
    return { services: await Promise.all(found), standbys: await Promise.all(standbys), failures };
  } finally {
    store?.close();
  }
}

function nameOf({ name, from }: Service): Pick<WatchedService, 'service' | 'from'> {
  return { service: name, ...(from !== undefined && { from }) };
}

type Known = Omit<WatchedService, 'service' | 'from' | 'isWatched' | 'availability'>;

function seenNow({ samples, errorRates, state }: Seen, nowMs: number): Known {
  const { isDown, sinceMs, failures, error } = state!;
  const recent = samples.filter(({ timeMs }) => timeMs > nowMs - LATENCY_MS).flatMap(({ valueMs }) => valueMs ?? []);
  const p95Ms = recent.toSorted((a, b) => a - b)[Math.ceil(recent.length * 0.95) - 1];
  const rate = errorRates.findLast(({ timeMs }) => timeMs > nowMs - LATENCY_MS);
  return {
    state: isDown ? 'down' : failures > 0 ? 'failing' : 'up',
    since: new Date(sinceMs).toISOString(),
    ...(error !== undefined && { error }),
    ...(p95Ms !== undefined && { p95Ms }),
    ...(rate && { errorShare: rate.share }),
  };
}

/** By one answer nobody is down. */
function askedNow(sample: Sample | undefined): Known {
  if (sample === undefined) return { state: 'unknown' };
  const { failures, error } = advanceService(undefined, sample, 0);
  return { state: failures > 0 ? 'failing' : 'up', ...(error !== undefined && { error }) };
}

function standbyNow({ timeMs, valueMs, error }: Sample): Omit<WatchedStandby, 'standby' | 'of'> {
  return {
    seen: new Date(timeMs).toISOString(),
    ...(error === undefined && valueMs !== undefined && { lagMs: valueMs }),
    ...(error !== undefined && { error }),
  };
}

function summariesIn(workspace: Workspace): Promise<OfRepositories<WatchSummary[]>> {
  return eachRepository(workspace, workspace.homeNames, async (name) => {
    const events = await (await workspace.open(name)).ledger.events({ kinds: ['watch.summarised'] });
    return events.flatMap(({ kind, body }) => (kind === 'watch.summarised' ? [body] : []));
  });
}

/**
 * The share of good answers: by the ledger, and of days that are not there yet by what is on this machine. Pure.
 * @param summaries of all kinds, in the order of the ledger. @param hours of all kinds
 */
export function availabilityOf(
  service: string,
  summaries: readonly WatchSummary[],
  hours: readonly SeenHour[],
  nowMs: number,
): WatchedService['availability'] {
  const firstMs = nowMs - AVAILABILITY_DAYS * DAY_MS;
  const byHour = new Map<number, readonly [samples: number, failures: number]>();
  for (const { kind, name, hour, samples, failures } of hours) {
    if (kind === 'service' && name === service) byHour.set(hour, [samples, failures]);
  }
  for (const { kind, name, day, hours: summed } of summaries) {
    if (kind !== 'service' || name !== service) continue;
    const first = Date.parse(day) / HOUR_MS;
    for (const [index, hour] of summed.entries()) if (hour !== null) byHour.set(first + index, [hour[0], hour[1]]);
  }
  const counted = [...byHour].filter(([hour]) => (hour + 1) * HOUR_MS > firstMs).map(([, each]) => each);
  const samples = counted.reduce((sum, [count]) => sum + count, 0);
  const failed = counted.reduce((sum, [, failures]) => sum + failures, 0);
  return samples === 0 ? undefined : { days: AVAILABILITY_DAYS, share: 1 - failed / samples, samples };
}
