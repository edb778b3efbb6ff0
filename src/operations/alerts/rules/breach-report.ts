import type { AlertRule } from '../condition.ts';
import { exampleFacts } from './example.ts';
import { moment } from './words.ts';

const HOUR_MS = 3_600_000;
/** GDPR, article 33. */
const REPORT_WITHIN_MS = 72 * HOUR_MS;
/** What is not reported by then is at risk of not being reported in time. */
const PRESSING_AFTER_MS = 48 * HOUR_MS;

/** A breach of personal data was declared, and nobody has said that it was reported. */
export const breachReport: AlertRule = {
  basis: 'record',
  find: ({ record, nowMs }) =>
    record.recoveries.breaches.map(({ incident, sinceMs }) => ({
      subject: incident,
      message: `the breach of personal data that is known since ${moment(sinceMs)} is to be reported by ${moment(sinceMs + REPORT_WITHIN_MS)}`,
      sinceMs,
      ...(nowMs - sinceMs >= PRESSING_AFTER_MS && { severity: 'p1' as const }),
      endangers: 'those whose data it is, and the organisation: the authority is to be told within 72 hours',
      command: `holdfast incident breach ${incident} --reported WHOM`,
    })),
  example(plan, _rule, nowMs) {
    const example = exampleFacts(plan, nowMs, {});
    const recoveries = {
      ...example.record.recoveries,
      breaches: [{ incident: 'example', sinceMs: nowMs - HOUR_MS }],
      dueReviews: [],
    };
    return { ...example, record: { ...example.record, recoveries } };
  },
};
