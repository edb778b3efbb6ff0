import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../engine/run-events.ts';
import { pendingFences as pendingFencesOf } from './pending-fences.ts';

const STEPS = [
  { id: 'fence', do: 'postgres.fence', source: 'db' },
  { id: 'promote', do: 'postgres.promote', standby: 'eu' },
  { id: 'other', do: 'postgres.promote', standby: 'other-eu' },
  { id: 'back', do: 'postgres.reseed', source: 'db' },
];
const event = (kind: string, body: Record<string, unknown>): RunEvent =>
  ({ kind, body, time: '2026-03-01T14:00:00Z', actor: 'a@b' }) as unknown as RunEvent;
const opened = event('incident.opened', { incident: 'one', why: '', steps: STEPS });
const finished = (step: string, outcome: string, outputs = {}): RunEvent =>
  event('step.finished', { run: 'one', step, attempt: 1, outcome, outputs, durationMs: 1 });
const pendingFences = (events: RunEvent[]) =>
  pendingFencesOf(events, (standby) => ({ eu: 'db', 'other-eu': 'other' })[standby]);
const closed = event('incident.closed', { incident: 'one', outcome: 'partial' });
const unreached = finished('fence', 'partial', { pending: true });

describe('fences that are pending', () => {
  it('are those of servers that were out of reach, with what was promoted instead', () => {
    const promoted = finished('promote', 'done', { timeline: 2, position: '0/3000060' });
    expect(pendingFences([opened, unreached, promoted])).toEqual([
      { of: 'postgres', run: 'one', step: 'fence', source: 'db', promoted: { timeline: 2, position: '0/3000060' } },
    ]);
    expect(pendingFences([opened, finished('fence', 'done', { pending: false })])).toEqual([]);
  });

  it('know nothing of what was promoted in the place of another source', () => {
    const other = finished('other', 'done', { timeline: 7, position: '0/1' });
    expect(pendingFences([opened, unreached, other])).toEqual([
      { of: 'postgres', run: 'one', step: 'fence', source: 'db' },
    ]);
    expect(pendingFences([opened, unreached, other, closed])).toEqual([]);
  });

  it('are no more once the incident is over, and what was to take the place of the server has not', () => {
    expect(pendingFences([opened, unreached])).toHaveLength(1);
    for (const failed of [finished('promote', 'failed'), finished('promote', 'skipped')]) {
      expect(pendingFences([opened, unreached, failed, closed])).toEqual([]);
    }
    const byHand = event('step.answered', { run: 'one', step: 'promote', attempt: 1, answer: 'done' });
    for (const done of [finished('promote', 'done', { timeline: 2 }), byHand]) {
      expect(pendingFences([opened, unreached, done, closed])).toHaveLength(1);
    }
  });

  it.each([
    ['done', event('fence.completed', { run: 'one', step: 'fence', source: 'db', server: 's' })],
    ['tried again and done', finished('fence', 'done', { pending: false })],
    ['a standby now', finished('back', 'done')],
    ['given up', event('incident.closed', { incident: 'one', outcome: 'aborted' })],
  ])('are no more once the server is %s', (_, later) => {
    expect(pendingFences([opened, unreached, later])).toEqual([]);
  });

  it('are those of Redis masters that were out of reach when another one was promoted, until they follow it', () => {
    const url = { env: 'REPLICA_URL' };
    const steps = [
      { id: 'up', do: 'redis.promote', source: 'cache', url },
      { id: 'down', do: 'redis.reseed', source: 'cache', from: url },
    ];
    const events = [
      event('incident.opened', { incident: 'one', why: '', steps }),
      finished('up', 'partial', { pending: true }),
    ];
    expect(pendingFences(events)).toEqual([{ of: 'redis', run: 'one', step: 'up', source: 'cache', successor: url }]);
    expect(pendingFences([...events, finished('down', 'done')])).toEqual([]);
    expect(pendingFences([...events, finished('up', 'done', { pending: false })])).toEqual([]);
  });

  it('stay behind an incident whose runbook promotes nothing by itself', () => {
    const steps = STEPS.filter(({ id }) => id === 'fence');
    expect(
      pendingFences([event('incident.opened', { incident: 'one', why: '', steps }), unreached, closed]),
    ).toHaveLength(1);
  });
});
