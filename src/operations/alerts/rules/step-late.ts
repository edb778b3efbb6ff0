import { durationNotation } from '../../../foundation/units.ts';
import type { AlertRule } from '../condition.ts';
import { exampleFacts } from './example.ts';

/** A step of an incident that is open takes longer than planned. */
export const stepLate: AlertRule = {
  basis: 'record',
  find: ({ record }) =>
    record.recoveries.lateSteps.map(({ incident, runbook, step, withinMs, lateMs }) => ({
      subject: `${incident}/${step}`,
      message: `the step ${step} of ${runbook} was to be over within ${durationNotation(withinMs)}, and is not`,
      sinceMs: lateMs,
      endangers: `the recovery by ${runbook}: it takes longer than promised`,
      command: `holdfast incident show ${incident}`,
    })),
  example(plan, _rule, nowMs) {
    const example = exampleFacts(plan, nowMs, {});
    const late = { incident: 'example', runbook: 'example', step: 'restore', withinMs: 3_600_000, lateMs: nowMs };
    const recoveries = { ...example.record.recoveries, lateSteps: [late] };
    return { ...example, record: { ...example.record, recoveries } };
  },
};
