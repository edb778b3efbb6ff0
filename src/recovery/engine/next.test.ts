import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextOf } from './next.ts';
import type { RunEvent } from './run-events.ts';
import { stateOf } from './state.ts';
import { lookupOf } from './values.ts';

/**
 * What became of a step, a letter for each event: it was started (S); done (D), done in part (P), passed over (K); it failed
 * (F), its time was over (T), and it does not end either (L), its process died (X); a person is asked what becomes of the
 * failure (Q) or whether it took effect (q); the answer is again (a), stop (s), skip (k) or done (d).
 */
type History = string;

interface Step {
  needs: number[];
  retries: number;
  onFailure: 'stop' | 'continue' | 'ask';
  /** What its condition says; it has none where that is left out. */
  holds?: boolean;
  history: History;
}

const TICK_MS = 700;

/** What is to be done next, by the histories alone and one rule after the other: slow, and nothing of the engine's. */
function expected(steps: readonly Step[], endMs: readonly number[], nowMs: number) {
  const failures = ({ history }: Step): number => history.replace(/.*a/, '').replace(/[^FTL]/g, '').length;
  const isTried = (step: Step): boolean => /[FT]$/.test(step.history) && failures(step) <= step.retries;
  const isFailedForGood = (step: Step): boolean => /[FTL]$/.test(step.history) && !isTried(step);
  const isStopped = (step: Step): boolean =>
    step.history.endsWith('s') || (step.onFailure === 'stop' && isFailedForGood(step));
  const isOver = (step: Step): boolean =>
    /[DPKkd]$/.test(step.history) || (step.onFailure === 'continue' && isFailedForGood(step));
  if (steps.some(isStopped)) {
    return steps.some(({ history }) => history.endsWith('S')) ? { actions: [] } : { actions: [], end: 'stopped' };
  }
  if (steps.every(isOver)) return { actions: [], end: 'finished' };
  const actions: string[] = [];
  const wakes: number[] = [];
  for (const [index, step] of steps.entries()) {
    const attempts = step.history.replace(/[^S]/g, '').length;
    const start = `start s${index} ${attempts + 1}`;
    if (step.history === '' && step.needs.every((need) => isOver(steps[need]!))) {
      actions.push(step.holds === false ? `skip s${index}` : start);
    }
    if (/[aX]$/.test(step.history)) actions.push(start);
    if (isTried(step)) {
      const waitMs = [1000, 2000, 4000, 8000][failures(step) - 1]!;
      if (endMs[index]! + waitMs <= nowMs) actions.push(start);
      else wakes.push(endMs[index]! + waitMs);
    }
    if (isFailedForGood(step) && step.onFailure === 'ask') actions.push(`ask s${index} ${attempts}`);
  }
  return { actions, ...(wakes.length > 0 && { wakeMs: Math.min(...wakes) }) };
}

const OUTCOMES: Record<string, object> = {
  ...{ D: { outcome: 'done' }, P: { outcome: 'partial' }, F: { outcome: 'failed' }, X: { outcome: 'died' } },
  ...{ T: { outcome: 'timed-out' }, L: { outcome: 'timed-out', mayStillRun: true } },
};
const ANSWERS: Record<string, string> = { a: 'again', s: 'stop', k: 'skip', d: 'done' };

function eventOf(letter: string, step: string, attempt: number): { kind: string; body: object } {
  const body = { run: 'r', step, attempt };
  if (letter === 'S') return { kind: 'step.started', body };
  if (letter === 'K')
    return { kind: 'step.finished', body: { ...body, attempt: 0, outcome: 'skipped', durationMs: 0 } };
  if (letter in OUTCOMES) return { kind: 'step.finished', body: { ...body, ...OUTCOMES[letter], durationMs: 1 } };
  if (letter in ANSWERS) return { kind: 'step.answered', body: { ...body, answer: ANSWERS[letter], by: 'anna' } };
  const what = letter === 'Q' ? 'failure' : 'died';
  return { kind: 'step.asked', body: { ...body, what, question: 'What now?', count: 1 } };
}

/** The events of all histories, those of the steps mixed by `order`, and when the newest of each step was. */
function recorded(steps: readonly Step[], order: readonly number[]): { events: RunEvent[]; endMs: number[] } {
  const documents = steps.map(({ needs, retries, onFailure, holds }, index) => ({
    ...{ id: `s${index}`, do: 'exec', exec: ['x'], needs: needs.map((need) => `s${need}`), retries, onFailure },
    ...(holds !== undefined && { when: `\${p${index}} == yes` }),
  }));
  const params = Object.fromEntries(steps.map(({ holds }, index) => [`p${index}`, holds === true ? 'yes' : 'no']));
  const opened = { incident: 'r', runbook: 'it', scenario: 'x', severity: 'p1', since: new Date(0).toISOString() };
  const events: object[] = [];
  const add = (kind: string, body: object): number => {
    const timeMs = events.length * TICK_MS;
    events.push({ kind, body, time: new Date(timeMs).toISOString(), actor: 'engine@host' });
    return timeMs;
  };
  add('incident.opened', { ...opened, sinceFrom: 'start', objectives: {}, why: 'x', params, steps: documents });
  const endMs = steps.map(() => 0);
  const come = steps.map(() => '');
  const turns = steps.flatMap(({ history }, index) => [...history].map(() => index));
  const keyed = turns.map((index, at) => ({ index, key: order[at % order.length]! }));
  for (const { index } of keyed.toSorted((one, other) => one.key - other.key)) {
    const letter = steps[index]!.history[come[index]!.length]!;
    come[index] += letter;
    const { kind, body } = eventOf(letter, `s${index}`, come[index]!.replace(/[^S]/g, '').length);
    endMs[index] = add(kind, body);
  }
  return { events: events as RunEvent[], endMs };
}

/** The letters that may come next. */
function letters(step: Omit<Step, 'needs'>): string {
  const { history, holds, retries } = step;
  const failures = history.replace(/.*a/, '').replace(/[^FTL]/g, '').length;
  switch (history.at(-1)) {
    case undefined:
      return holds === false ? 'K' : 'S';
    case 'S':
      return 'DPFTLX';
    case 'F':
    case 'T':
      return failures <= retries ? 'SSSakds' : step.onFailure === 'ask' ? 'Qakds' : 'akds';
    case 'L':
      return step.onFailure === 'ask' ? 'Qakds' : 'akds';
    case 'X':
      return 'Sq';
    case 'q':
    case 'Q':
    case 's':
      return 'akds';
    default:
      return history.endsWith('a') ? 'S' : '';
  }
}

const step = fc
  .record({
    retries: fc.nat(2),
    onFailure: fc.constantFrom('stop', 'continue', 'ask'),
    holds: fc.constantFrom(true, false, undefined),
    choices: fc.array(fc.nat(20), { maxLength: 12 }),
    needs: fc.array(fc.nat(4), { maxLength: 2 }),
  })
  .map(({ choices, holds, needs, ...given }) => {
    const made = { ...given, ...(holds !== undefined && { holds }), history: '' };
    for (const choice of choices) {
      const possible = letters(made as Step);
      if (possible !== '') made.history += possible[choice % possible.length];
    }
    return { ...made, needs } as Step;
  });

const steps = fc
  .array(step, { minLength: 1, maxLength: 5 })
  .map((all) =>
    all.map((each, index) => ({ ...each, needs: [...new Set(each.needs)].filter((need) => need < index) })),
  );

describe('what is done next', () => {
  it('is what the rules say of any histories of any steps', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        steps,
        fc.array(fc.nat(1000), { minLength: 30, maxLength: 30 }),
        // Often so soon that a step still waits to be tried again.
        fc.oneof(fc.nat(500), fc.nat(9000)),
        (given, order, laterMs) => {
          const { events, endMs } = recorded(given, order);
          const nowMs = events.length * TICK_MS + laterMs;
          const state = stateOf('r', events)!;
          const { actions, ...rest } = nextOf(state, nowMs, lookupOf(state));
          const told = actions.map((each) => `${each.do} ${each.step}${'attempt' in each ? ` ${each.attempt}` : ''}`);
          const wanted = expected(given, endMs, nowMs);
          expect({ actions: told, ...rest }).toEqual(wanted);
          for (const word of [...told.map((each) => each.split(' ')[0]!), rest.end ?? 'goes on']) seen.add(word);
          if (rest.wakeMs !== undefined) seen.add('wakes');
        },
      ),
      { numRuns: 1000 },
    );
    expect([...seen].toSorted()).toEqual(['ask', 'finished', 'goes on', 'skip', 'start', 'stopped', 'wakes']);
  });
});
