import type { LedgerEvent } from '../../ledger/index.ts';
import { wasAttempted } from '../restore/attempted.ts';

const DAY_MS = 24 * 3_600_000;
/** Over so many days each. */
export const WINDOW_DAYS = [7, 30, 365] as const;

/** What came of everything of one kind that was tried, or should have been, in some time. */
export interface AttemptCounts {
  succeeded: number;
  /** Backups and restores alone. */
  partial: number;
  failed: number;
  /** Backups that were due and did not run. */
  missed: number;
  /** The share of all of them that succeeded, from 0 to 1; absent where there was none. */
  rate?: number;
}

/** The same, over some days up to now. */
export interface Attempts extends AttemptCounts {
  days: number;
}

export interface SuccessRates {
  backup: Attempts[];
  restore: Attempts[];
  verify: Attempts[];
}

type Result = keyof Pick<AttemptCounts, 'succeeded' | 'partial' | 'failed' | 'missed'>;

/** Something that was tried, or should have been. */
export interface Tried {
  timeMs: number;
  what: keyof SuccessRates;
  result: Result;
  count: number;
}

/** @param events of the ledger of the source's repository, and of that where runs are recorded, each once */
export function successRates(source: string, events: readonly LedgerEvent[], nowMs: number): SuccessRates {
  const tried = triedOf(source, events);
  const of = (what: keyof SuccessRates): Attempts[] =>
    WINDOW_DAYS.map((days) => ({
      days,
      ...attemptsIn(tried, what, { fromMs: nowMs - days * DAY_MS + 1, toMs: nowMs + 1 }),
    }));
  return { backup: of('backup'), restore: of('restore'), verify: of('verify') };
}

/** What was tried of a source. @param events see `successRates` */
export function triedOf(source: string, events: readonly LedgerEvent[]): Tried[] {
  return events.flatMap((event) => triedIn(source, event) ?? []);
}

/** What came of it from one moment up to another, which does not belong to it. */
export function attemptsIn(
  tried: readonly Tried[],
  what: keyof SuccessRates,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): AttemptCounts {
  const attempts: AttemptCounts = { succeeded: 0, partial: 0, failed: 0, missed: 0 };
  for (const each of tried) {
    if (each.what === what && each.timeMs >= fromMs && each.timeMs < toMs) attempts[each.result] += each.count;
  }
  const all = attempts.succeeded + attempts.partial + attempts.failed + attempts.missed;
  return { ...attempts, ...(all > 0 && { rate: attempts.succeeded / all }) };
}

function triedIn(source: string, event: LedgerEvent): Tried | undefined {
  const timeMs = Date.parse(event.time);
  const of = (what: keyof SuccessRates, result: Result, count = 1): Tried => ({ timeMs, what, result, count });
  const resultOf = (outcome: 'complete' | 'partial'): Result => (outcome === 'complete' ? 'succeeded' : 'partial');
  // A run that died left nothing else behind.
  if (event.kind === 'run.died') return event.body.task === `backup:${source}` ? of('backup', 'failed') : undefined;
  if (event.kind === 'run.missed') {
    return event.body.task === `backup:${source}` ? of('backup', 'missed', event.body.count) : undefined;
  }
  if ((event.body as { source?: string }).source !== source) return undefined;
  switch (event.kind) {
    case 'backup.finished':
      return event.body.only === undefined ? of('backup', resultOf(event.body.outcome)) : undefined;
    case 'backup.failed':
      return event.body.only === undefined && event.body.code !== 'interrupted' ? of('backup', 'failed') : undefined;
    case 'restore.finished':
      return of('restore', resultOf(event.body.outcome));
    case 'restore.failed':
      return wasAttempted(event.body.code) ? of('restore', 'failed') : undefined;
    case 'proof.recorded':
      return event.body.part ? undefined : of('verify', event.body.state === 'proven' ? 'succeeded' : 'failed');
    default:
      return undefined;
  }
}
