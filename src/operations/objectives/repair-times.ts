import type { LedgerEvent } from '../../ledger/index.ts';
import { median } from './robust-line.ts';
import { WINDOW_DAYS } from './success.ts';

const DAY_MS = 24 * 3_600_000;

/** How long what ended in some days up to now took. */
export interface RepairTimes {
  days: number;
  count: number;
  /** Absent where there was none. */
  meanMs?: number;
  medianMs?: number;
  longestMs?: number;
}

export interface Repairs {
  /** Alerts of the severest kind, from when they were raised until they were resolved. */
  alerts: RepairTimes[];
  /** Restores that were completed. */
  restores: RepairTimes[];
  /** Alerts of the severest kind that are not resolved, with their times. */
  open: { alert: string; rule: string; subject: string; since: string }[];
}

interface Ended {
  endMs: number;
  durationMs: number;
}

/** @param events of one or more ledgers, oldest first */
export function repairsIn(events: readonly LedgerEvent[], nowMs: number): Repairs {
  const open = new Map<string, { isSevere: boolean; rule: string; subject: string; since: string }>();
  const alerts: Ended[] = [];
  const restores: Ended[] = [];
  for (const event of events) {
    const endMs = Date.parse(event.time);
    switch (event.kind) {
      case 'alert.raised': {
        const { alert, rule, subject, severity } = event.body;
        open.set(alert, { isSevere: severity === 'p1', rule, subject, since: event.time });
        break;
      }
      case 'alert.updated': {
        const known = open.get(event.body.alert);
        if (known !== undefined && event.body.severity === 'p1') known.isSevere = true;
        break;
      }
      case 'alert.resolved': {
        const known = open.get(event.body.alert);
        open.delete(event.body.alert);
        if (known?.isSevere) alerts.push({ endMs, durationMs: Math.max(0, endMs - Date.parse(known.since)) });
        break;
      }
      case 'restore.finished':
        if (event.body.outcome === 'complete') restores.push({ endMs, durationMs: event.body.durationMs });
        break;
      default:
    }
  }
  return {
    alerts: WINDOW_DAYS.map((days) => timesOf(alerts, days, nowMs)),
    restores: WINDOW_DAYS.map((days) => timesOf(restores, days, nowMs)),
    open: [...open].flatMap(([alert, { isSevere, ...known }]) => (isSevere ? [{ alert, ...known }] : [])),
  };
}

function timesOf(ended: readonly Ended[], days: number, nowMs: number): RepairTimes {
  const durations = ended
    .filter(({ endMs }) => endMs > nowMs - days * DAY_MS && endMs <= nowMs)
    .map(({ durationMs }) => durationMs);
  if (durations.length === 0) return { days, count: 0 };
  const meanMs = durations.reduce((sum, each) => sum + each, 0) / durations.length;
  return {
    ...{ days, count: durations.length, meanMs: Math.round(meanMs) },
    ...{ medianMs: Math.round(median(durations)!), longestMs: Math.max(...durations) },
  };
}
