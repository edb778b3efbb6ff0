import type { RuleName } from '../../../plan/index.ts';
import type { AlertRule, Condition } from '../condition.ts';
import { conditionsOf } from '../condition.ts';
import type { Facts } from '../facts/facts.ts';
import { availability } from './availability.ts';
import { backupFailed } from './backup-failed.ts';
import { backupMissed } from './backup-missed.ts';
import { breachReport } from './breach-report.ts';
import { capacity } from './capacity.ts';
import { changeAnomaly } from './change-anomaly.ts';
import { channelFailed } from './channel-failed.ts';
import { drillOverdue } from './drill-overdue.ts';
import { duration } from './duration.ts';
import { errorRate } from './error-rate.ts';
import { incidentStalled } from './incident-stalled.ts';
import { kitOverdue } from './kit-overdue.ts';
import { latency } from './latency.ts';
import { logStalled } from './log-stalled.ts';
import { proofOverdue } from './proof-overdue.ts';
import { replicationLag } from './replication-lag.ts';
import { repositoryUnreachable } from './repository-unreachable.ts';
import { reviewOverdue } from './review-overdue.ts';
import { rpoBreach } from './rpo-breach.ts';
import { rtoForecast } from './rto-forecast.ts';
import { sizeDrop } from './size-drop.ts';
import { staleLock } from './stale-lock.ts';
import { stepLate } from './step-late.ts';
import { upkeepFailed } from './upkeep-failed.ts';
import { verificationFailed } from './verification-failed.ts';

/** What each rule of a plan looks for. */
export const ALERT_RULES: Readonly<Record<RuleName, AlertRule>> = {
  'backup-failed': backupFailed,
  'backup-missed': backupMissed,
  'rpo-breach': rpoBreach,
  'proof-overdue': proofOverdue,
  'rto-forecast': rtoForecast,
  'size-drop': sizeDrop,
  duration,
  'change-anomaly': changeAnomaly,
  'verification-failed': verificationFailed,
  'drill-overdue': drillOverdue,
  'kit-overdue': kitOverdue,
  'review-overdue': reviewOverdue,
  capacity,
  'replication-lag': replicationLag,
  latency,
  'error-rate': errorRate,
  availability,
  'log-stalled': logStalled,
  'stale-lock': staleLock,
  'repository-unreachable': repositoryUnreachable,
  'channel-failed': channelFailed,
  'step-late': stepLate,
  'incident-stalled': incidentStalled,
  'breach-report': breachReport,
  'upkeep-failed': upkeepFailed,
};

/** All that is wrong by the rules that are on. Pure. */
export function conditionsNow(facts: Facts): Condition[] {
  return [...facts.plan.alerts.rules.values()].flatMap((rule) => conditionsOf(ALERT_RULES[rule.name], facts, rule));
}

/**
 * Whether it is unknown if a condition still holds, since what its rule goes by could not be had: then nothing is resolved.
 * What the plan names no more is known to be nothing.
 */
export function isUnknown({ rule, subject }: Pick<Condition, 'rule' | 'subject'>, facts: Facts): boolean {
  if (!facts.plan.alerts.rules.has(rule)) return false;
  const away = new Set(
    facts.repositories.flatMap(({ repository, failure }) => (failure === undefined ? [] : [repository])),
  );
  const source = facts.plan.sources.get(subject);
  const stores = [
    ...facts.mirrors.map((each) => ({ ...each, name: each.mirror })),
    ...facts.archives.map((each) => ({ ...each, name: each.archive })),
  ];
  switch (ALERT_RULES[rule].basis) {
    case 'watch':
      return rule !== 'repository-unreachable' && facts.samples === undefined && facts.plan.services.has(subject);
    case 'record':
      return !facts.record.isKnown;
    case 'sources':
    case 'repositories':
      if (source !== undefined) return away.has(source.repository) || isUnseen(facts, subject);
      if (facts.plan.standbys.has(subject)) return facts.samples === undefined;
      return (
        away.has(subject) ||
        stores.some(({ name, failure }) => name === subject && failure !== undefined) ||
        !facts.record.isKnown
      );
  }
}

/** A source of which nothing was ever seen. */
function isUnseen({ sources }: Facts, name: string): boolean {
  return !sources.some(({ source }) => source.name === name);
}
