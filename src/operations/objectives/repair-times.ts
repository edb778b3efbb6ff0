import type { LedgerEvent } from '../../ledger/index.ts';
import { median } from './robust-line.ts';
import { WINDOW_DAYS } from './success.ts';

const DAY_MS = 24 * 3_600_000;

/** How long what ended in some time took. */
export interface TimesTaken {
  count: number;
  /** Absent where there was none. */
  meanMs?: number;
  medianMs?: number;
  longestMs?: number;
}

/** The same, over some days up to now. */
export interface RepairTimes extends TimesTaken {
  days: number;
}

export interface Repairs {
  /** Incidents, from when they began until people could work again. */
  recoveries: RepairTimes[];
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

/** What was repaired, and what is not. */
export interface KnownRepairs {
  recoveries: Ended[];
  alerts: Ended[];
  restores: Ended[];
  open: Repairs['open'];
}

/** @param events of one or more ledgers, oldest first */
export function repairsIn(events: readonly LedgerEvent[], nowMs: number): Repairs {
  const { open, ...ended } = knownRepairs(events);
  const of = (kind: keyof typeof ended): RepairTimes[] =>
    WINDOW_DAYS.map((days) => ({
      days,
      ...timesIn(ended[kind], { fromMs: nowMs - days * DAY_MS + 1, toMs: nowMs + 1 }),
    }));
  return { recoveries: of('recoveries'), alerts: of('alerts'), restores: of('restores'), open };
}

/** @param events see `repairsIn` */
export function knownRepairs(events: readonly LedgerEvent[]): KnownRepairs {
  const open = new Map<string, { isSevere: boolean; rule: string; subject: string; since: string }>();
  const recoveries: Ended[] = [];
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
      case 'incident.closed':
        if (event.body.rtoMs !== undefined) recoveries.push({ endMs, durationMs: event.body.rtoMs });
        break;
      case 'restore.finished':
        if (event.body.outcome === 'complete') restores.push({ endMs, durationMs: event.body.durationMs });
        break;
      default:
    }
  }
  return {
    ...{ recoveries, alerts, restores },
    open: [...open].flatMap(([alert, { isSevere, ...known }]) => (isSevere ? [{ alert, ...known }] : [])),
  };
}

/** How long what ended from one moment up to another, which does not belong to it, took. */
export function timesIn(ended: readonly Ended[], { fromMs, toMs }: { fromMs: number; toMs: number }): TimesTaken {
  const durations = ended.filter(({ endMs }) => endMs >= fromMs && endMs < toMs).map(({ durationMs }) => durationMs);
  if (durations.length === 0) return { count: 0 };
  const meanMs = durations.reduce((sum, each) => sum + each, 0) / durations.length;
  return {
    ...{ count: durations.length, meanMs: Math.round(meanMs) },
    ...{ medianMs: Math.round(median(durations)!), longestMs: Math.max(...durations) },
  };
}
