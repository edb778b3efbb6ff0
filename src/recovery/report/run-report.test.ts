import { describe, expect, it } from 'vitest';
import { renderHtml, renderMarkdown } from '../../report/index.ts';
import { isRunEvent, type RunEvent } from '../engine/run-events.ts';
import { stateOf } from '../engine/state.ts';
import { runDocument } from './run-document.ts';
import { type HeldReview, runReport } from './run-report.ts';

const NOON = Date.parse('2026-03-02T12:00:00Z');
const MINUTE = 60_000;

const STEPS = [
  {
    id: 'go',
    do: 'approve',
    ask: 'Promote?',
    by: ['oncall', 'lead'],
    count: 2,
    onFailure: 'stop',
    retries: 0,
    restoresService: false,
  },
  {
    id: 'back',
    do: 'note',
    text: 'x',
    title: 'Bring it back',
    within: '10m',
    onFailure: 'stop',
    retries: 0,
    restoresService: true,
  },
  { id: 'review', do: 'review', within: '24h', onFailure: 'stop', retries: 0, restoresService: false },
];

/** Events of one incident: minutes after noon, who, what. */
function eventsOf(
  id: string,
  { objectives = { rtoMs: 30 * MINUTE, rpoMs: 5 * MINUTE }, endMinute = 41 } = {},
): RunEvent[] {
  const at = (minute: number, by: string, kind: string, body: object): RunEvent =>
    ({ kind, body, actor: `${by}@db1`, time: new Date(NOON + minute * MINUTE).toISOString() }) as RunEvent;
  const opened = {
    ...{ incident: id, why: 'the region is gone', runbook: 'region-failure', scenario: 'Complete region failure' },
    ...{
      severity: 'p1',
      since: new Date(NOON - 2 * MINUTE).toISOString(),
      sinceFrom: 'alert',
      params: { target: 'eu' },
    },
    ...{ objectives, steps: STEPS },
  };
  const of = (step: string, rest: object) => ({ run: id, step, attempt: 1, ...rest });
  return [
    at(0, 'ada', 'incident.opened', opened),
    at(1, 'ada', 'incident.noted', { incident: id, text: 'the status page says so too' }),
    at(2, 'ada', 'step.started', of('go', {})),
    at(2, 'ada', 'step.asked', of('go', { what: 'approve', question: 'Promote?', of: ['oncall', 'lead'], count: 2 })),
    at(4, 'ada', 'step.answered', of('go', { answer: 'approve', as: 'oncall' })),
    at(9, 'bob', 'step.answered', of('go', { answer: 'approve', as: 'lead', note: 'do it' })),
    at(9, 'ada', 'step.finished', of('go', { outcome: 'done', outputs: { by: 'ada, bob' }, durationMs: 7 * MINUTE })),
    at(9, 'ada', 'step.started', of('back', {})),
    at(19, 'ada', 'step.late', of('back', { withinMs: 10 * MINUTE })),
    at(
      40,
      'ada',
      'step.finished',
      of('back', { outcome: 'done', summary: 'it is back', outputs: { lossMs: 60_000 }, durationMs: 31 * MINUTE }),
    ),
    at(40, 'ada', 'step.started', of('review', {})),
    at(
      40,
      'ada',
      'step.finished',
      of('review', { outcome: 'done', outputs: { due: '2026-03-03T12:40:00.000Z' }, durationMs: 0 }),
    ),
    at(endMinute, 'ada', 'incident.closed', {
      incident: id,
      outcome: 'missed',
      rtoMs: 42 * MINUTE,
      rpoMs: MINUTE,
      durationMs: 41 * MINUTE,
    }),
  ].filter(isRunEvent);
}

function reportOf(
  events: readonly RunEvent[],
  { reviews = [] as HeldReview[], nowMs = NOON + 60 * MINUTE, others = [] as RunEvent[][] } = {},
) {
  const state = stateOf('i1', events)!;
  return runReport({
    ...{ state, events, reviews, nowMs },
    others: [state, ...others.map((each, index) => stateOf(`o${index}`, each)!)],
    byHand: new Map([['back', ['psql -c "select pg_promote()"']]]),
  });
}

describe('the report of an incident', () => {
  it('has what was promised and what became of it, of the whole and of each step', () => {
    const { rto, rpo, steps, startedBy } = reportOf(eventsOf('i1'));
    expect(rto).toEqual({ promisedMs: 30 * MINUTE, actualMs: 42 * MINUTE, isMissed: true });
    expect(rpo).toEqual({ promisedMs: 5 * MINUTE, actualMs: MINUTE, isMissed: false });
    expect(startedBy).toBe('ada');
    expect(steps[1]).toMatchObject({
      durationMs: 31 * MINUTE,
      withinMs: 10 * MINUTE,
      overMs: 21 * MINUTE,
      state: 'done',
    });
    expect(steps[0]).not.toHaveProperty('overMs');
  });

  it('says who agreed to what, and everything in its order', () => {
    const { approvals, timeline } = reportOf(eventsOf('i1'));
    expect(approvals).toEqual([
      { step: 'go', question: 'Promote?', answer: 'approve', by: 'ada', as: 'oncall', at: '2026-03-02T12:04:00.000Z' },
      {
        step: 'go',
        question: 'Promote?',
        answer: 'approve',
        by: 'bob',
        as: 'lead',
        at: '2026-03-02T12:09:00.000Z',
        note: 'do it',
      },
    ]);
    expect(timeline.map(({ by, what }) => `${by} ${what}`)).toEqual([
      'ada opened the incident: the region is gone',
      'ada noted: the status page says so too',
      'ada go begun',
      'ada go asked: Promote?',
      'ada go: said "approve" as oncall',
      'bob go: said "approve" as lead: do it',
      'ada go done',
      'ada back begun',
      'ada back took longer than its share of the budget',
      'ada back done: it is back',
      'ada review begun',
      'ada review done',
      'ada closed the incident: missed',
    ]);
  });

  it('counts the time so far, and misses the objective by it, while people cannot work yet', () => {
    const open = eventsOf('i1').slice(0, 8);
    expect(reportOf(open, { nowMs: NOON + 27 * MINUTE }).rto).toEqual({ promisedMs: 30 * MINUTE });
    const late = reportOf(open, { nowMs: NOON + 29 * MINUTE });
    expect(late).toMatchObject({ rto: { promisedMs: 30 * MINUTE, isMissed: true } });
    expect(late.steps[1]).toMatchObject({ state: 'running', durationMs: 20 * MINUTE, overMs: 10 * MINUTE });
    expect(late).not.toHaveProperty('review');
  });

  it('has the review that is due, overdue, or held', () => {
    const due = '2026-03-03T12:40:00.000Z';
    const dueMs = Date.parse(due);
    const events = eventsOf('i1');
    expect(reportOf(events, { nowMs: dueMs }).review).toEqual({ due, attended: [], isOverdue: false });
    expect(reportOf(events, { nowMs: dueMs + 1 }).review).toEqual({ due, attended: [], isOverdue: true });
    const reviews = [{ review: 'incident-i1', attended: ['Ada'], timeMs: dueMs - 1 }];
    const held = { due, attended: ['Ada'], isOverdue: false, heldAt: '2026-03-03T12:39:59.999Z' };
    expect(reportOf(events, { nowMs: dueMs + 5, reviews }).review).toEqual(held);
    const another = [{ ...reviews[0]!, review: 'incident-i2' }];
    expect(reportOf(events, { nowMs: dueMs + 1, reviews: another }).review?.isOverdue).toBe(true);
  });

  it('shows the earlier runs of the same runbook, the newest first', () => {
    const earlier = (id: string, hours: number): RunEvent[] =>
      eventsOf(id).map((event) => ({
        ...event,
        time: new Date(Date.parse(event.time) - hours * 60 * MINUTE).toISOString(),
      }));
    const { earlier: trend } = reportOf(eventsOf('i1'), {
      others: [earlier('o0', 48), earlier('o1', 24), earlier('o2', -24)],
    });
    expect(trend.map(({ id, rtoMs }) => [id, rtoMs])).toEqual([
      ['o1', 42 * MINUTE],
      ['o0', 42 * MINUTE],
    ]);
  });

  it('counts 72 hours from a breach of personal data', () => {
    const events = eventsOf('i1');
    const since = '2026-03-02T12:00:00Z';
    const declared = { ...events[1]!, kind: 'breach.declared', body: { incident: 'i1', since } } as RunEvent;
    const told = {
      ...declared,
      kind: 'breach.reported',
      body: { incident: 'i1', to: 'the authority' },
      time: '2026-03-05T11:00:00.000Z',
    } as RunEvent;
    const lastMs = NOON + 72 * 60 * MINUTE;
    const of = (more: RunEvent[], nowMs: number) => reportOf([...events, ...more], { nowMs }).breach;
    expect(of([declared], lastMs)).toMatchObject({ reportBy: '2026-03-05T12:00:00.000Z', isOverdue: false });
    expect(of([declared], lastMs + 1)).toMatchObject({ isOverdue: true });
    expect(of([declared, told], lastMs + 1)).toMatchObject({ isOverdue: false, reportedTo: 'the authority' });
  });

  it('is a document with every chapter, and fields to fill in', () => {
    const document = runDocument(reportOf(eventsOf('i1')));
    const markdown = renderMarkdown(document);
    expect(markdown).toContain('# Incident i1: Complete region failure');
    for (const chapter of [
      ...['Objectives', 'Budget of each step', 'Approvals and decisions', 'Timeline', 'Notes', 'Root cause'],
      ...['Lessons learned', 'Action items', 'Review meeting', 'Earlier runs of this runbook', 'Each step by hand'],
    ]) {
      expect(markdown).toContain(`## ${chapter}\n`);
    }
    expect(markdown).toContain('MISSED');
    expect(markdown).toContain('Due by 2026-03-03 12:40:00, and not held yet');
    expect(renderHtml(document)).toContain('psql -c &quot;select pg_promote()&quot;');
  });
});
