import type { LedgerEvent } from '../../ledger/index.ts';

const DAY_MS = 24 * 3_600_000;
/** Over so many days each. */
export const WINDOW_DAYS = [7, 30, 365] as const;

/** What came of everything of one kind that was tried, or should have been, in some days up to now. */
export interface Attempts {
  days: number;
  succeeded: number;
  /** Backups and restores alone. */
  partial: number;
  failed: number;
  /** Backups that were due and did not run. */
  missed: number;
  /** The share of all of them that succeeded, from 0 to 1; absent where there was none. */
  rate?: number;
}

export interface SuccessRates {
  backup: Attempts[];
  restore: Attempts[];
  verify: Attempts[];
}

type Result = keyof Pick<Attempts, 'succeeded' | 'partial' | 'failed' | 'missed'>;

interface Tried {
  timeMs: number;
  what: keyof SuccessRates;
  result: Result;
  count: number;
}

/** @param events of the ledger of the source's repository, and of that where runs are recorded, each once */
export function successRates(source: string, events: readonly LedgerEvent[], nowMs: number): SuccessRates {
  const tried = events.flatMap((event) => triedIn(source, event) ?? []);
  const of = (what: keyof SuccessRates): Attempts[] =>
    WINDOW_DAYS.map((days) =>
      counted(
        tried.filter((each) => each.what === what && each.timeMs > nowMs - days * DAY_MS && each.timeMs <= nowMs),
        days,
      ),
    );
  return { backup: of('backup'), restore: of('restore'), verify: of('verify') };
}

function counted(tried: readonly Tried[], days: number): Attempts {
  const attempts: Attempts = { days, succeeded: 0, partial: 0, failed: 0, missed: 0 };
  for (const { result, count } of tried) attempts[result] += count;
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
      return event.body.code === 'interrupted' ? undefined : of('restore', 'failed');
    case 'proof.recorded':
      return event.body.part ? undefined : of('verify', event.body.state === 'proven' ? 'succeeded' : 'failed');
    default:
      return undefined;
  }
}
