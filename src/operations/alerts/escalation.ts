import type { AlertMessage } from '../../alert/index.ts';
import { durationNotation } from '../../foundation/units.ts';
import type { Plan, Severity } from '../../plan/index.ts';
import { type BookedAlert, type ChannelTold, heardMs, type Mute, muteOf, reasonText, refusalKey } from './book.ts';

const MINUTE_MS = 60_000;
/** What a channel refused is sent again after this, and then twice as long each time up to the longest. */
const AGAIN_AFTER_MS = MINUTE_MS;
const LONGEST_AGAIN_MS = 15 * MINUTE_MS;
/** For so long it is tried to tell that an alert is resolved. */
const RESOLVED_TOLD_FOR_MS = 24 * 60 * MINUTE_MS;
/** Why those are told of changes who know of the alert. */
const TOLD_BEFORE = 'told before';

/** What is to be sent to one channel, as one message. */
export interface Telling {
  channel: string;
  news: AlertMessage['kind'];
  /** Ids, the most severe first. */
  alerts: string[];
  /** Rungs of the ladder such as `30m, lead`, and `route`. */
  reason: string;
}

interface Due {
  channel: string;
  news: AlertMessage['kind'];
  reasons: string[];
}

const RANKS: Readonly<Record<Severity, number>> = { p1: 1, p2: 2, p3: 3 };

/** Lower is worse. */
export function severityRank(severity: Severity): number {
  return RANKS[severity];
}

/**
 * Who is to be told what now. The ladder counts from the alert, without the time for which it is muted; an acknowledgement
 * stops the rungs that are not until it is resolved; what was missed meanwhile is told once. Who was told hears of what
 * becomes of it. What a channel refused is sent again, at longer and longer intervals. Pure.
 */
export function tellingsNow(
  plan: Pick<Plan, 'alerts' | 'contacts'>,
  { alerts, mutes }: { alerts: readonly BookedAlert[]; mutes: readonly Mute[] },
  nowMs: number,
): Telling[] {
  const groups = new Map<string, Telling>();
  for (const alert of alerts.toSorted(compareUrgency)) {
    for (const { channel, news, reasons } of dueFor(plan, alert, mutes, nowMs)) {
      const reason = reasonText(reasons);
      const key = JSON.stringify([channel, news, reason]);
      const group = groups.get(key) ?? { channel, news, alerts: [], reason };
      group.alerts.push(alert.id);
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}

function compareUrgency(one: BookedAlert, other: BookedAlert): number {
  return severityRank(one.severity) - severityRank(other.severity) || one.raisedMs - other.raisedMs;
}

function dueFor(
  plan: Pick<Plan, 'alerts' | 'contacts'>,
  alert: BookedAlert,
  mutes: readonly Mute[],
  nowMs: number,
): Due[] {
  const knowing = [...alert.told].filter(([channel, { reasons }]) => reasons.size > 0 && takesAlerts(plan, channel));
  if (alert.resolvedMs !== undefined) {
    if (nowMs - alert.resolvedMs > RESOLVED_TOLD_FOR_MS) return [];
    const untold = knowing.filter(([, { resolved }]) => !resolved);
    return untold.flatMap(([channel, told]) => dueAgain(channel, 'resolved', [TOLD_BEFORE], told, nowMs));
  }
  if (muteOf(alert, mutes, nowMs) !== undefined) return [];
  const raised = [...reasonsByChannel(plan, alert, heardMs(alert, mutes, nowMs))].flatMap(([channel, reasons]) => {
    const told = alert.told.get(channel);
    const untold = [...reasons].filter((reason) => !told?.reasons.has(reason));
    return dueAgain(channel, 'raised', untold, told, nowMs);
  });
  const toldNow = new Set(raised.map(({ channel }) => channel));
  const changed = knowing
    .filter(([channel]) => !toldNow.has(channel))
    .flatMap(([channel, told]) => {
      const isAcknowledged = alert.acknowledged !== undefined && !told.acknowledged;
      const news = isAcknowledged ? 'acknowledged' : told.changes < alert.changes ? 'updated' : undefined;
      return news === undefined ? [] : dueAgain(channel, news, [TOLD_BEFORE], told, nowMs);
    });
  return [...raised, ...changed];
}

/** Those of the reasons that it is time for, where some were refused before. */
function dueAgain(
  channel: string,
  news: AlertMessage['kind'],
  reasons: readonly string[],
  told: ChannelTold | undefined,
  nowMs: number,
): Due[] {
  const due = reasons.filter((reason) => {
    const refused = told?.refused.get(refusalKey(news, reason));
    if (refused === undefined || refused.timeMs > nowMs) return true;
    return nowMs - refused.timeMs >= Math.min(LONGEST_AGAIN_MS, AGAIN_AFTER_MS * 2 ** (refused.count - 1));
  });
  return due.length === 0 ? [] : [{ channel, news, reasons: due }];
}

function reasonsByChannel(
  plan: Pick<Plan, 'alerts' | 'contacts'>,
  alert: BookedAlert,
  stoodMs: number,
): Map<string, Set<string>> {
  const reasons = new Map<string, Set<string>>();
  const add = (channel: string | undefined, reason: string): void => {
    if (channel === undefined || !takesAlerts(plan, channel)) return;
    reasons.set(channel, (reasons.get(channel) ?? new Set()).add(reason));
  };
  for (const { to, rules, severity } of plan.alerts.routes) {
    if ((rules?.includes(alert.rule) ?? true) && isAtLeast(alert, severity)) add(to, 'route');
  }
  for (const { afterMs, notify, severity, untilResolved } of plan.alerts.escalation) {
    const isStopped = alert.acknowledged !== undefined && !untilResolved;
    if (stoodMs < afterMs || isStopped || !isAtLeast(alert, severity)) continue;
    const after = afterMs === 0 ? '0m' : durationNotation(afterMs);
    for (const contact of notify) add(plan.contacts.get(contact)?.channel, `${after}, ${contact}`);
  }
  return reasons;
}

/** Whether it is as bad as that, or worse. */
function isAtLeast(alert: BookedAlert, severity: Severity | undefined): boolean {
  return severity === undefined || severityRank(alert.severity) <= severityRank(severity);
}

/** Whether there is such a channel, and alerts go there: a heartbeat takes none. */
function takesAlerts({ alerts }: Pick<Plan, 'alerts'>, name: string): boolean {
  const channel = alerts.channels.get(name);
  return channel !== undefined && channel.type !== 'heartbeat';
}
