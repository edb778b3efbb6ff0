import { durationNotation } from '../../../foundation/units.ts';
import type { AlertRule } from '../condition.ts';
import { exampleFacts } from './example.ts';

const MINUTE_MS = 60_000;

/** An incident is open, and no process has shown for some time that it runs the steps. */
export const incidentStalled: AlertRule = {
  basis: 'record',
  find: ({ record, leftAlone, nowMs }, { afterMs = 5 * MINUTE_MS }) =>
    record.recoveries.open.flatMap(({ incident, runbook }) => {
      const sinceMs = leftAlone.get(incident);
      if (sinceMs === undefined || nowMs - sinceMs < afterMs) return [];
      return [
        {
          subject: incident,
          message: `the recovery by ${runbook} is not over, and no process has run its steps for ${durationNotation(afterMs)}`,
          sinceMs,
          endangers: `the recovery by ${runbook}: it stands still`,
          command: `holdfast incident resume ${incident}`,
        },
      ];
    }),
  example(plan, { afterMs = 5 * MINUTE_MS }, nowMs) {
    const leftAlone = new Map([['example', nowMs - afterMs]]);
    const example = exampleFacts(plan, nowMs, { leftAlone });
    const recoveries = { ...example.record.recoveries, open: [{ incident: 'example', runbook: 'example' }] };
    return { ...example, record: { ...example.record, recoveries } };
  },
};
