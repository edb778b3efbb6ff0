import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rtoMsOf } from './outcome.ts';
import type { RunEvent } from './run-events.ts';
import { stateOf, tally } from './state.ts';

const RUN = { run: 'r', step: 'go' };

function event(kind: string, body: object, atMs: number): RunEvent {
  return { kind, body, time: new Date(atMs).toISOString(), actor: 'engine@host' } as RunEvent;
}

/** As the engine recorded it: a question, a death, and the next attempt, to which the question is open still. */
const ENGINE = [
  event(
    'incident.opened',
    {
      ...{ incident: 'r', runbook: 'it', scenario: 'x', severity: 'p1', since: new Date(0).toISOString() },
      ...{ sinceFrom: 'start', params: {}, objectives: {}, why: 'x' },
      steps: [{ id: 'go', do: 'approve', ask: 'Go?', by: ['oncall', 'lead'], count: 2 }],
    },
    0,
  ),
  event('step.started', { ...RUN, attempt: 1 }, 1),
  event('step.asked', { ...RUN, attempt: 1, what: 'approve', question: 'Go?', of: ['oncall', 'lead'], count: 2 }, 2),
  event('step.finished', { ...RUN, attempt: 1, outcome: 'died', durationMs: 1 }, 3),
  event('step.started', { ...RUN, attempt: 2 }, 4),
];

/** The events with those of persons put in at any places but before the opening. */
function mixed(answers: readonly RunEvent[], places: readonly number[]): RunEvent[] {
  const events = [...ENGINE];
  for (const [index, answer] of answers.entries()) events.splice(1 + (places[index]! % events.length), 0, answer);
  return events;
}

const places = fc.array(fc.nat(20), { minLength: 3, maxLength: 3 });

describe('what the events of a run tell', () => {
  it('knows that a breach was reported, also by who has a clock that is behind', () => {
    const declared = event('breach.declared', { incident: 'r', since: new Date(0).toISOString() }, 5);
    const reported = event('breach.reported', { incident: 'r', to: 'the authority', by: 'anna' }, 2);
    const known = stateOf('r', [ENGINE[0]!, reported, declared])!.breach;
    expect(known).toMatchObject({ sinceMs: 0, reported: { to: 'the authority', by: 'anna', timeMs: 2 } });
  });

  it('believes nobody who passes over an approval that was refused', () => {
    const failed = event('step.finished', { ...RUN, attempt: 2, outcome: 'failed', durationMs: 1 }, 5);
    const said = (answer: string) => event('step.answered', { ...RUN, attempt: 2, answer, by: 'anna' }, 6);
    expect(stateOf('r', [...ENGINE, failed, said('skip'), said('done')])!.steps[0]!.verdict).toBeUndefined();
    expect(stateOf('r', [...ENGINE, failed, said('again')])!.steps[0]!.verdict).toBe('again');
  });

  it('counts the time of what a person did by hand until they said that it was done', () => {
    const steps = [{ id: 'go', do: 'exec', exec: ['x'], restoresService: true }];
    const opened = { ...ENGINE[0]!, body: { ...ENGINE[0]!.body, steps } } as RunEvent;
    const failed = event('step.finished', { ...RUN, attempt: 1, outcome: 'failed', durationMs: 1, message: 'no' }, 5);
    const done = event('step.answered', { ...RUN, attempt: 1, answer: 'done', by: 'anna' }, 7_200_000);
    // What is read of a copy as well comes once more, behind the answer.
    const state = stateOf('r', [opened, ENGINE[1]!, failed, done, failed])!;
    expect(state.steps[0]).toMatchObject({ phase: 'done', endedMs: 7_200_000, durationMs: 7_199_999 });
    // What it is now is said of it, and not what had failed.
    expect([state.steps[0]!.error, state.steps[0]!.summary]).toEqual([undefined, 'done by hand, says anna']);
    expect(rtoMsOf(state)).toBe(7_200_000);
  });

  it('counts an answer by what it answers, wherever the clock of whoever gave it has put it', () => {
    const said = (by: string, as: string, attempt: number, answer = 'approve'): RunEvent =>
      event('step.answered', { ...RUN, attempt, answer, by, as }, 0);
    fc.assert(
      fc.property(places, (at) => {
        const answers = [said('anna', 'oncall', 2), said('dora', 'lead', 2), said('carl', 'cto', 2)];
        const step = stateOf('r', mixed(answers, at))!.steps[0]!;
        const { agreed, isEnough } = tally(step.asked!);
        expect([step.phase, isEnough, agreed.map(({ by }) => by).toSorted()]).toEqual([
          'waiting',
          true,
          ['anna', 'dora'],
        ]);
      }),
    );
  });

  it('takes what becomes of a failure from an answer that stands before it, and once', () => {
    const failed = event('step.finished', { ...RUN, attempt: 2, outcome: 'failed', durationMs: 1 }, 5);
    const again = event('step.answered', { ...RUN, attempt: 2, answer: 'again', by: 'anna' }, 0);
    fc.assert(
      fc.property(places, ([place]) => {
        const events = [...mixed([again, again], [place!, place!]), failed];
        expect(stateOf('r', events)!.steps[0]).toMatchObject({ phase: 'failed', verdict: 'again' });
        const more = [...events, event('step.started', { ...RUN, attempt: 3 }, 6)];
        expect(stateOf('r', more)!.steps[0]).toMatchObject({ phase: 'running', attempt: 3 });
        expect(stateOf('r', more)!.steps[0]!.verdict).toBeUndefined();
      }),
    );
  });
});
