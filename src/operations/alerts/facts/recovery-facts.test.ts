import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planWith } from '../../../../test/support/plan.ts';
import type { LedgerEvent } from '../../../ledger/index.ts';
import type { RuleName } from '../../../plan/index.ts';
import { conditionsOf } from '../condition.ts';
import { exampleFacts } from '../rules/example.ts';
import { ALERT_RULES } from '../rules/index.ts';
import { recoveryFacts } from './recovery-facts.ts';

const SINCE = Date.parse('2026-03-01T00:00:00Z');
const HOUR_MS = 3_600_000;
const plan = planWith({});

const event = (kind: string, atMs: number, body: object): LedgerEvent =>
  ({ kind, time: new Date(SINCE + atMs).toISOString(), body }) as LedgerEvent;

const steps = [
  { id: 'restore', do: 'exec', exec: ['x'] },
  { id: 'review', do: 'review', within: '12h' },
];
const OPENED = event('incident.opened', 0, { incident: 'i1', runbook: 'it', why: 'x', steps });
const LATE = event('step.late', HOUR_MS, { run: 'i1', step: 'restore', attempt: 1, withinMs: HOUR_MS });
const DECLARED = event('breach.declared', 0, { incident: 'i1', since: new Date(SINCE).toISOString() });
const REPORTED = event('breach.reported', 0, { incident: 'i1', to: 'the authority' });
const CLOSED = event('incident.closed', 2 * HOUR_MS, { incident: 'i1', outcome: 'done' });
const REVIEWED = event('review.recorded', 0, { review: 'incident-i1', attended: [] });

/** What a rule finds so long after it happened. */
function found(rule: RuleName, events: readonly LedgerEvent[], afterMs: number) {
  const facts = exampleFacts(plan, SINCE + afterMs, {});
  const record = { ...facts.record, recoveries: recoveryFacts(events) };
  return conditionsOf(ALERT_RULES[rule], { ...facts, record }, plan.alerts.rules.get(rule)!);
}

describe('an alert of an incident', () => {
  it('says that a step is late, until that step or the incident is over', () => {
    const [late] = found('step-late', [OPENED, LATE], 2 * HOUR_MS);
    expect(late).toMatchObject({ subject: 'i1/restore', command: 'holdfast incident show i1' });
    expect(late!.message).toContain('the step restore of it was to be over within 1h');
    const over = event('step.finished', 2 * HOUR_MS, { run: 'i1', step: 'restore', attempt: 1, outcome: 'failed' });
    for (const end of [over, CLOSED]) expect(found('step-late', [OPENED, LATE, end], 3 * HOUR_MS)).toEqual([]);
  });

  it('of a breach that nobody has reported is of severity p1 from 48 of the 72 hours on', () => {
    const severityAfter = (hours: number) => found('breach-report', [OPENED, DECLARED], hours * HOUR_MS)[0]!.severity;
    const usual = plan.alerts.rules.get('breach-report')!.severity;
    expect([usual === 'p1', severityAfter(1), severityAfter(47.9)]).toEqual([false, usual, usual]);
    expect([severityAfter(48), severityAfter(71), severityAfter(80)]).toEqual(['p1', 'p1', 'p1']);
    expect(found('breach-report', [OPENED, DECLARED], HOUR_MS)[0]!.message).toContain('by 2026-03-04');
    // The incident may be over before the report is.
    expect(found('breach-report', [OPENED, DECLARED, CLOSED], 48 * HOUR_MS)).toHaveLength(1);
  });

  it('is over once it was reported, or the review held, in whatever order the clocks of people have it', () => {
    const all = [OPENED, DECLARED, REPORTED, CLOSED, REVIEWED];
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (events) => {
        for (const rule of ['breach-report', 'review-overdue'] as const)
          expect(found(rule, events, 100 * HOUR_MS)).toEqual([]);
      }),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray([OPENED, DECLARED, CLOSED], { minLength: 3 }), (events) => {
        expect(found('breach-report', events, HOUR_MS)).toHaveLength(1);
        expect(found('review-overdue', events, 13 * HOUR_MS)).toEqual([]);
        expect(found('review-overdue', events, 15 * HOUR_MS)).toHaveLength(1);
      }),
    );
  });

  it('is none of a drill', () => {
    const drilled = event('drill.started', 0, { drill: 'i1', runbook: 'it', steps });
    expect(found('step-late', [drilled, LATE], 2 * HOUR_MS)).toEqual([]);
  });
});
