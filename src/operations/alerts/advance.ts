import type { AlertEvents } from '../../ledger/index.ts';
import type { Plan, Severity } from '../../plan/index.ts';
import type { AlertBook, AlertEventKind, BookedAlert } from './book.ts';
import type { Condition } from './condition.ts';
import { severityRank } from './escalation.ts';
import { runbooksFor } from './runbooks.ts';

/** What is gone for less than this may be back at once. */
const GONE_FOR_MS = 60_000;
/** What came and went again and again is held until it is gone for so long. */
const FLAPPING_GONE_FOR_MS = 30 * 60_000;

export type NewAlertEvent = { [Kind in AlertEventKind]: { kind: Kind; body: AlertEvents[Kind] } }[AlertEventKind];

/** Since when conditions of open alerts are gone, by the id of the alert: from the first look that did not see them. */
export type Gone = Map<string, number>;

export interface Seen {
  conditions: readonly Condition[];
  /** Whether nobody knows if the condition of an alert still holds. */
  isUnknown(alert: Pick<Condition, 'rule' | 'subject'>): boolean;
}

/**
 * What becomes of the alerts by what is seen now: raised once, changed where what they say did, resolved when what they
 * are about is gone for a while. Pure, but for `gone`, which it keeps.
 */
export function advance(plan: Plan, book: AlertBook, seen: Seen, gone: Gone, nowMs: number): NewAlertEvent[] {
  const events = seen.conditions.flatMap((each) => raisedOrChanged(plan, book, each));
  const standing = new Set(seen.conditions.map(({ rule, subject }) => book.openOf(rule, subject)?.id));
  for (const alert of book.open) {
    if (standing.has(alert.id) || seen.isUnknown(alert)) {
      gone.delete(alert.id);
      continue;
    }
    // A clock that was set back must not put it off.
    const sinceMs = Math.min(gone.get(alert.id) ?? nowMs, nowMs);
    gone.set(alert.id, sinceMs);
    const enoughMs = alert.flaps ? FLAPPING_GONE_FOR_MS : GONE_FOR_MS;
    if (nowMs - sinceMs < enoughMs) continue;
    gone.delete(alert.id);
    events.push({ kind: 'alert.resolved', body: { alert: alert.id } });
  }
  return events;
}

function raisedOrChanged(plan: Plan, book: AlertBook, condition: Condition): NewAlertEvent[] {
  const { rule, subject, severity, message, endangers, command } = condition;
  const open = book.openOf(rule, subject);
  if (open !== undefined) {
    const changed = worse(severity, open.severity);
    if (changed === open.severity && isAlike(open, message)) return [];
    // What stands for longer than what is seen now has stood since then.
    const since = [condition.since, open.since].toSorted()[0]!;
    const body = { alert: open.id, message, severity: changed, since, endangers, command };
    return [{ kind: 'alert.updated', body }];
  }
  const runbooks = runbooksFor(plan, rule);
  const body = { alert: book.nextId(condition), ...condition, ...(runbooks.length > 0 && { runbooks }) };
  return [{ kind: 'alert.raised', body }];
}

/** It rises, and never falls while the alert stands. */
function worse(one: Severity, other: Severity): Severity {
  return severityRank(one) < severityRank(other) ? one : other;
}

/** Whether a message says the same but for numbers, times and ids. */
function isAlike({ message }: BookedAlert, other: string): boolean {
  return withoutNumbers(message) === withoutNumbers(other);
}

function withoutNumbers(text: string): string {
  return text.replace(/\b[0-9a-f]{8,}\b|\d+(?:[.,:/-]\d+)*/g, '#');
}
