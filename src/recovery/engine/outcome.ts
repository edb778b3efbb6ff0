/** What a run has come to: RTO, RPO, and whether it was kept. Pure. */
import type { RecoveryEnded } from '../../ledger/index.ts';
import { promotionsFor, type SourceOf } from '../fencing/promotions.ts';
import type { RunState, StepState } from './state.ts';

const AFTERWARDS: readonly string[] = ['monitor', 'task', 'review'];

/**
 * The steps with whose end what people use is back: those marked so; else the last before the first `monitor`, `task` or
 * `review`, or the last of all.
 */
export function restoringSteps(steps: readonly StepState[]): StepState[] {
  const marked = steps.filter(({ plan }) => plan.restoresService);
  if (marked.length > 0) return marked;
  const first = steps.findIndex(({ plan }) => AFTERWARDS.includes(plan.document.do));
  return first > 0 ? [steps[first - 1]!] : steps.slice(-1);
}

/**
 * From `since` until what people use was back, in milliseconds; undefined where it is not. In a drill a step that it does
 * without takes no time, and the clock stops at it all the same.
 */
export function rtoMsOf({ kind, steps, sinceMs }: Pick<RunState, 'kind' | 'steps' | 'sinceMs'>): number | undefined {
  const restoring = restoringSteps(steps);
  const counts = (phase: StepState['phase']): boolean => isDone(phase) || (kind === 'drill' && phase === 'skipped');
  const ends = restoring.flatMap(({ phase, endedMs }) => (counts(phase) && endedMs !== undefined ? [endedMs] : []));
  if (ends.length === 0 || restoring.some(({ phase }) => !isDone(phase) && phase !== 'skipped')) return undefined;
  return Math.max(0, Math.max(...ends) - sinceMs);
}

/** How much was lost, in milliseconds, as far as steps found it out. */
export function rpoMsOf(steps: readonly StepState[]): number | undefined {
  const lost = steps.flatMap(({ outputs }) =>
    [outputs['lossMs'], outputs['lostMs']].filter((value) => typeof value === 'number'),
  );
  return lost.length === 0 ? undefined : Math.max(...lost);
}

/** What a run that is over has come to. A failure that it went on after, by whoever's word, makes it partial at best. */
export function outcomeOf(state: RunState, nowMs: number, sourceOf: SourceOf): RecoveryEnded {
  const { steps, started, startedMs } = state;
  const [rtoMs, rpoMs] = [rtoMsOf(state), rpoMsOf(steps)];
  const isOver = steps.every(({ phase }) => isDone(phase) || phase === 'skipped' || isPassed(phase));
  const failed = steps.filter(({ phase }) => !isDone(phase) && phase !== 'skipped');
  const stopped = failed.some(
    ({ plan, verdict }) => (verdict ?? plan.onFailure) !== 'skip' && (verdict ?? plan.onFailure) !== 'continue',
  );
  const { rtoMs: promisedRtoMs, rpoMs: promisedRpoMs } = started.objectives;
  const isMissed = exceeds(rtoMs, promisedRtoMs) || exceeds(rpoMs, promisedRpoMs);
  const why = [
    ...failed.map(({ plan, error, phase }) => `${plan.id}: ${error?.message ?? phase}`),
    ...passedOverText(state),
    ...unreplacedTexts(state, sourceOf),
  ];
  const isPartial = failed.length > 0 || steps.some(({ phase }) => phase === 'partial');
  return {
    outcome: stopped || !isOver ? 'failed' : isPartial ? 'partial' : isMissed ? 'missed' : 'done',
    ...(why.length > 0 && { why: why.join('; ') }),
    ...(rtoMs !== undefined && { rtoMs }),
    ...(rpoMs !== undefined && { rpoMs }),
    durationMs: Math.max(0, nowMs - startedMs),
  };
}

/** That there is no RTO since nothing had to be restored, by the conditions of the runbook, is no failure, and is said. */
function passedOverText({ kind, steps }: Pick<RunState, 'kind' | 'steps'>): string[] {
  const restoring = restoringSteps(steps);
  if (kind === 'drill' || restoring.length === 0 || restoring.some(({ phase }) => phase !== 'skipped')) return [];
  const names = restoring.map(({ plan }) => plan.id).join(', ');
  return [`no RTO was measured, since what restores the service was passed over: ${names}`];
}

/** That a server is kept from taking writes, or was to be, and nothing took its place: a person has to see to it. */
function unreplacedTexts({ kind, steps }: RunState, sourceOf: SourceOf): string[] {
  if (kind === 'drill') return [];
  const documents = steps.map(({ plan }) => plan.document);
  return steps.flatMap(({ plan: { id, document }, phase, outputs }) => {
    if (document.do !== 'postgres.fence' || !isDone(phase)) return [];
    const promotions = promotionsFor(document.source, documents, sourceOf);
    const isReplaced = steps.some(({ plan, phase: each }) => promotions.includes(plan.id) && isDone(each));
    if (promotions.length === 0 || isReplaced) return [];
    const what =
      outputs['pending'] === true
        ? 'could not be reached, and is not fenced any more when it comes back'
        : 'lets nobody in until its fence is lifted (ALTER SYSTEM RESET session_preload_libraries; SELECT pg_reload_conf();)';
    return [`${id}: the server of ${document.source} ${what}, since nothing was promoted in its place`];
  });
}

function exceeds(actualMs: number | undefined, promisedMs: number | undefined): boolean {
  return actualMs !== undefined && promisedMs !== undefined && actualMs > promisedMs;
}

function isDone(phase: StepState['phase']): boolean {
  return phase === 'done' || phase === 'partial';
}

function isPassed(phase: StepState['phase']): boolean {
  return phase === 'failed' || phase === 'timed-out' || phase === 'died';
}
