import type { Schedule } from '../../../schedule/index.ts';
import { dueReviews } from '../../reviews/reviews.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts } from '../facts/facts.ts';
import { exampleFacts } from './example.ts';
import { moment } from './words.ts';

const DAY_MS = 24 * 3_600_000;

/** A review was not recorded within the day after it was due; one after a recovery, when it was due. */
export const reviewOverdue: AlertRule = {
  basis: 'record',
  find: (facts) => [...overdue(facts), ...overdueAfterRecovery(facts)],
  example(plan, _rule, nowMs) {
    const everyMonth: Schedule = { kind: 'every', text: 'every 30d', everyMs: 30 * DAY_MS };
    const [kind, schedule] = [...plan.reviews][0] ?? ['strategy', everyMonth];
    const example = exampleFacts({ ...plan, reviews: new Map([[kind, schedule]]) }, nowMs, {});
    return { ...example, record: { ...example.record, beganMs: nowMs - 800 * DAY_MS } };
  },
};

function overdue({ nowMs, sinceMs, plan, record }: Facts): Found[] {
  const due = dueReviews(plan, record.reviews, { beganMs: record.beganMs ?? sinceMs, nowMs: nowMs - DAY_MS });
  return due.flatMap(({ review, last, due: dueAt, isOverdue }): Found[] => {
    if (!isOverdue || dueAt === undefined) return [];
    const before = last === undefined ? 'there was none before' : `the last was at ${moment(Date.parse(last))}`;
    return [
      {
        subject: review,
        message: `the review of the ${review} that was due at ${moment(Date.parse(dueAt))} is not recorded; ${before}`,
        sinceMs: Date.parse(dueAt),
        endangers: 'the plan: what it says may not be what is needed any more',
        command: `holdfast review record ${review} --attended NAME`,
      },
    ];
  });
}

function overdueAfterRecovery({ nowMs, record }: Facts): Found[] {
  const overdue = record.recoveries.dueReviews.filter(({ dueMs }) => dueMs <= nowMs);
  return overdue.map(({ incident, runbook, dueMs }) => ({
    subject: `incident-${incident}`,
    message: `the review after the recovery by ${runbook} that was due at ${moment(dueMs)} is not recorded`,
    sinceMs: dueMs,
    endangers: 'that what went wrong is learned from: it will go wrong again',
    command: `holdfast review record incident-${incident} --attended NAME`,
  }));
}
