import type { WatchedHour, WatchSummary } from '../../ledger/index.ts';
import type { Sample, ServiceSamples } from '../alerts/facts/samples.ts';
import { QuantileDigest } from './quantile-digest.ts';
import { thinned } from './recent.ts';
import { advanceService, type ServiceState } from './service-state.ts';

export type WatchedKind = WatchSummary['kind'];
type ErrorRate = ServiceSamples['errorRates'][number];

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** What was seen of one thing, of whatever kind. */
export interface Seen {
  /** Oldest first, thinned out as they age. */
  samples: Sample[];
  errorRates: ErrorRate[];
  /** Of a service. */
  state?: ServiceState;
}

/** An hour of one thing. */
export interface SeenHour {
  kind: WatchedKind;
  name: string;
  /** Hours since 1970. */
  hour: number;
  samples: number;
  failures: number;
  digest: QuantileDigest;
}

/** An answer that took long is of an earlier time than one that came before it. */
const OVERTAKEN_MS = 5 * 60_000;

/**
 * What was seen before somebody set the clock back would be of a time to come, and count as what is newest until then: it is
 * taken to be of now.
 */
function notAhead<T extends { timeMs: number }>(known: readonly T[], timeMs: number): T[] {
  return known.map((each) => (each.timeMs > timeMs + OVERTAKEN_MS ? { ...each, timeMs } : each));
}

/** Takes a sample to what is known. @param everyMs of a service: how often it is asked */
export function addSample(seen: Seen, sample: Sample, everyMs?: number): void {
  if (isBehind(seen.samples, sample)) seen.samples = notAhead(seen.samples, sample.timeMs);
  seen.samples.push(sample);
  if (everyMs !== undefined) seen.state = advanceService(seen.state, sample, everyMs);
}

/** Takes the share of requests that failed. */
export function addErrorRate(seen: Seen, rate: ErrorRate): void {
  if (isBehind(seen.errorRates, rate)) seen.errorRates = notAhead(seen.errorRates, rate.timeMs);
  seen.errorRates.push(rate);
}

function isBehind(known: readonly { timeMs: number }[], { timeMs }: { timeMs: number }): boolean {
  return (known.at(-1)?.timeMs ?? timeMs) > timeMs + OVERTAKEN_MS;
}

/** Keeps what somebody may ask for. */
export function thin(seen: Seen, nowMs: number): void {
  const badness = ({ error, valueMs = 0 }: Sample): number =>
    error === undefined ? valueMs : Number.POSITIVE_INFINITY;
  seen.samples = thinned(seen.samples, nowMs, badness);
  seen.errorRates = thinned(seen.errorRates, nowMs, ({ share }) => share);
}

/** Takes a sample to its hour. @param value what was measured; absent where nothing was */
export function addToHour(hour: SeenHour, value: number | undefined, isFailure: boolean): void {
  hour.samples += 1;
  hour.failures += isFailure ? 1 : 0;
  if (value !== undefined) hour.digest.add(value);
}

/** A day as it goes into the ledger. @param hours of the same thing and day */
export function summaryOf(hours: readonly SeenHour[]): WatchSummary {
  const { kind, name, hour } = hours[0]!;
  const first = Math.floor(hour / 24) * 24;
  const day = Array.from({ length: 24 }, (_, index): WatchedHour | null => {
    const found = hours.find((each) => each.hour === first + index);
    if (found === undefined) return null;
    const { samples, failures, digest } = found;
    const value = (measured: number | undefined): number | null =>
      measured === undefined ? null : Number(measured.toPrecision(3));
    const most = digest.most === undefined ? null : Math.ceil(digest.most);
    return [samples, failures, value(digest.quantile(0.5)), value(digest.quantile(0.95)), most];
  });
  return { kind, name, day: new Date(first * HOUR_MS).toISOString(), hours: day };
}

export function newHour(kind: WatchedKind, name: string, timeMs: number): SeenHour {
  return { kind, name, hour: Math.floor(timeMs / HOUR_MS), samples: 0, failures: 0, digest: new QuantileDigest() };
}
