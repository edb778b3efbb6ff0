/** What is to be done next in a run. Pure. */
import { holds, parseCondition } from '../../plan/index.ts';
import type { RunState, StepState } from './state.ts';
import type { Lookup } from './values.ts';

const FIRST_BACK_OFF_MS = 1000;
const LONGEST_BACK_OFF_MS = 60_000;

export type Action =
  | { do: 'start'; step: string; attempt: number }
  /** Its condition does not hold. */
  | { do: 'skip'; step: string; why: string }
  /** It failed, and a person is to say what becomes of the rest. */
  | { do: 'ask'; step: string; attempt: number; question: string };

export interface Next {
  /** All of them side by side. */
  actions: Action[];
  /** When a step that failed is tried again, in milliseconds since 1970. */
  wakeMs?: number;
  /** `stopped`: a step failed, and nothing goes on before a person has said how. */
  end?: 'finished' | 'stopped';
}

/**
 * @param value what a name in a condition stands for
 * @returns no action and no end while something runs, or waits for persons
 */
export function nextOf(state: RunState, nowMs: number, value: Lookup): Next {
  const isRunning = state.steps.some(({ phase }) => phase === 'running');
  if (state.steps.some(isStopped)) return { actions: [], ...(!isRunning && { end: 'stopped' as const }) };
  if (state.steps.every(isSettled)) return { actions: [], end: 'finished' };
  const found = state.steps.map((step) => ofStep(state, step, { nowMs, value }));
  const wakes = found.flatMap(({ wakeMs }) => wakeMs ?? []);
  return {
    actions: found.flatMap(({ action }) => action ?? []),
    ...(wakes.length > 0 && { wakeMs: Math.min(...wakes) }),
  };
}

function ofStep(
  state: RunState,
  step: StepState,
  { nowMs, value }: { nowMs: number; value: Lookup },
): { action?: Action; wakeMs?: number } {
  const { id, document } = step.plan;
  const again: Action = { do: 'start', step: id, attempt: step.attempt + 1 };
  switch (step.phase) {
    case 'pending':
      if (!step.plan.needs.every((need) => isSettled(state.steps.find(({ plan }) => plan.id === need)!))) return {};
      if (!conditionHolds(document.when, value)) return { action: { do: 'skip', step: id, why: document.when! } };
      return { action: again };
    case 'died':
      return step.verdict === 'again' || step.asked?.what !== 'died' ? startUnlessSettled(step, again) : {};
    case 'failed':
    case 'timed-out':
      return ofFailed(step, again, nowMs);
    default:
      return {};
  }
}

function startUnlessSettled(step: StepState, action: Action): { action?: Action } {
  return isSettled(step) ? {} : { action };
}

function ofFailed(step: StepState, again: Action, nowMs: number): { action?: Action; wakeMs?: number } {
  if (step.verdict === 'again') return { action: again };
  if (isSettled(step)) return {};
  if (isTriedAgain(step)) {
    const dueMs = (step.endedMs ?? nowMs) + backOffMs(step.failures);
    return dueMs <= nowMs ? { action: again } : { wakeMs: dueMs };
  }
  const isAsked = step.asked?.what === 'failure' && step.asked.attempt === step.attempt;
  if (step.plan.onFailure !== 'ask' || isAsked) return {};
  const question = `${step.plan.id} failed: ${step.error?.message ?? 'nobody knows why'}. What now?`;
  return { action: { do: 'ask', step: step.plan.id, attempt: step.attempt, question } };
}

/** By itself: not beside what it may still be at. */
function isTriedAgain({ failures, plan, mayStillRun }: StepState): boolean {
  return failures <= plan.retries && !mayStillRun;
}

/** After the first failure a second, and twice as long after each further one, up to a minute. */
export function backOffMs(failures: number): number {
  return Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (failures - 1));
}

/** Whether nothing more comes of a step, and what needs it goes on. */
export function isSettled(step: StepState): boolean {
  switch (step.phase) {
    case 'done':
    case 'partial':
    case 'skipped':
      return true;
    case 'died':
      return step.verdict === 'skip';
    case 'failed':
    case 'timed-out': {
      if (step.verdict !== undefined) return step.verdict === 'skip';
      return step.plan.onFailure === 'continue' && !isTriedAgain(step);
    }
    default:
      return false;
  }
}

/** Whether the run stops at a step until a person says how it goes on. */
export function isStopped(step: StepState): boolean {
  if (step.verdict !== undefined) return step.verdict === 'stop';
  const hasFailed = step.phase === 'failed' || step.phase === 'timed-out';
  return hasFailed && step.plan.onFailure === 'stop' && !isTriedAgain(step);
}

function conditionHolds(when: string | undefined, value: Lookup): boolean {
  if (when === undefined) return true;
  const parsed = parseCondition(when);
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  return holds(parsed, value);
}
