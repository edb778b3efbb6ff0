import type { AlertRule } from '../condition.ts';
import { exampleFacts } from './example.ts';
import { moment } from './words.ts';

/** A drill that was due was not held. */
export const drillOverdue: AlertRule = {
  basis: 'record',
  find: ({ record }) =>
    record.overdueDrills.map(({ runbook, dueMs }) => ({
      subject: runbook,
      message: `the drill of ${runbook} that was due at ${moment(dueMs)} was not held`,
      sinceMs: dueMs,
      endangers: `the recovery by ${runbook}: nobody has shown lately that it works`,
      command: 'holdfast verify',
    })),
  example(plan, _rule, nowMs) {
    const example = exampleFacts(plan, nowMs, {});
    const overdueDrills = [{ runbook: 'example', dueMs: nowMs - 24 * 3_600_000 }];
    return { ...example, record: { ...example.record, overdueDrills } };
  },
};
