import { describe, expect, it } from 'vitest';
import { outcomeOf } from './outcome.ts';
import type { RunEvent } from './run-events.ts';
import { stateOf } from './state.ts';

const STEPS = [
  { id: 'fence', do: 'postgres.fence', source: 'db' },
  { id: 'promote', do: 'postgres.promote', standby: 'eu', onFailure: 'continue' },
  { id: 'end', do: 'note', text: 'over' },
];

function event(kind: string, body: object, atMs: number): RunEvent {
  return { kind, body, time: new Date(atMs).toISOString(), actor: 'engine@host' } as RunEvent;
}

const OPENED = event(
  'incident.opened',
  {
    ...{ incident: 'r', runbook: 'it', scenario: 'x', severity: 'p1', since: new Date(0).toISOString() },
    ...{ sinceFrom: 'start', params: {}, objectives: {}, why: 'x', steps: STEPS },
  },
  0,
);
const finished = (step: string, outcome: string, outputs: object = {}): RunEvent =>
  event('step.finished', { run: 'r', step, attempt: 1, outcome, outputs, durationMs: 1 }, 1);
const FENCED = finished('fence', 'done', { proven: true, pending: false });
const UNREACHED = finished('fence', 'partial', { proven: false, pending: true });
const RETURNED = event('fence.completed', { run: 'r', step: 'fence', source: 'db', server: 'db on a:5432' }, 2);

function whyOf(...events: RunEvent[]): string | undefined {
  const state = stateOf('r', [OPENED, ...events, finished('end', 'done')])!;
  return outcomeOf(state, 10, (standby) => (standby === 'eu' ? 'db' : undefined)).why;
}

describe('an incident that ends with a server that nothing took the place of', () => {
  it.each([
    ['fenced', [FENCED], /db lets nobody in until its fence is lifted .*RESET session_preload_libraries/],
    ['out of reach', [UNREACHED], /db could not be reached, and is not fenced any more when it comes back/],
    ['fenced when it came back', [UNREACHED, RETURNED], /db lets nobody in until its fence is lifted/],
  ])('says so: %s', (_, events, why) => {
    for (const outcome of ['failed', 'skipped']) expect(whyOf(...events, finished('promote', outcome))).toMatch(why);
    expect(whyOf(...events, finished('promote', 'done')) ?? '').not.toMatch(/fence/);
  });
});
