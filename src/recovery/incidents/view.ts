/** An incident or a drill as people and programs are shown it. Pure. */
import type { DrillEnded, StepAnswered } from '../../ledger/index.ts';
import { nextOf } from '../engine/next.ts';
import { rpoMsOf, rtoMsOf } from '../engine/outcome.ts';
import { type RunState, type StepState, tally } from '../engine/state.ts';
import { lookupOf } from '../engine/values.ts';
import { answersTo } from './answer.ts';

/** Times are RFC 3339. */
export interface StepView {
  step: string;
  do: string;
  title?: string;
  state: StepState['phase'];
  attempt: number;
  startedAt?: string;
  endedAt?: string;
  /** So far, of one that is under way. */
  durationMs?: number;
  withinMs?: number;
  isLate: boolean;
  summary?: string;
  error?: { code?: string; message?: string };
  outputs: StepState['outputs'];
  /** What it waits for, who has answered, what may be said, and the commands that say it. */
  waitsFor?: {
    question: string;
    of?: string[];
    count: number;
    agreed: string[];
    answers: StepAnswered['answer'][];
    commands: string[];
  };
}

export interface RunView {
  id: string;
  kind: RunState['kind'];
  runbook: string;
  scenario: string;
  severity: string;
  state: 'open' | 'waiting' | 'stopped' | 'closed';
  outcome?: NonNullable<DrillEnded['outcome']>;
  why?: string;
  startedBy: string;
  since: string;
  startedAt: string;
  endedAt?: string;
  endedBy?: string;
  acknowledgedBy?: string;
  params: Record<string, string>;
  objectives: { rtoMs?: number; rpoMs?: number };
  /** From `since` until what people use was back, or until now as long as it is not. */
  rtoMs?: number;
  isRestored: boolean;
  rpoMs?: number;
  steps: StepView[];
  notes: { text: string; by: string; time: string }[];
  breach?: { since: string; reportBy: string; reportedTo?: string };
  standing?: string[];
  /** What a drill restored and left to be looked at: on a machine, until a time, each with its place where it could be kept. */
  kept?: NonNullable<RunState['kept']>;
}

const BREACH_WITHIN_MS = 72 * 3_600_000;

export function viewOf(state: RunState, nowMs: number): RunView {
  const { id, kind, runbook, started, ended, breach } = state;
  const [restoredMs, rpoMs] = [ended?.rtoMs ?? rtoMsOf(state), ended?.rpoMs ?? rpoMsOf(state.steps)];
  const rtoMs = restoredMs ?? (ended === undefined ? Math.max(0, nowMs - state.sinceMs) : undefined);
  const why = ended?.why ?? state.why;
  return {
    ...{ id, kind, runbook, scenario: started.scenario, severity: started.severity, state: wordOf(state, nowMs) },
    ...(ended !== undefined && { outcome: ended.outcome ?? 'done', endedAt: at(ended.timeMs), endedBy: ended.endedBy }),
    ...(why !== undefined && { why }),
    ...{ startedBy: state.by, since: started.since, startedAt: at(state.startedMs) },
    ...(state.acknowledged && { acknowledgedBy: state.acknowledged.by }),
    ...{ params: started.params, objectives: started.objectives, isRestored: restoredMs !== undefined },
    ...(rtoMs !== undefined && { rtoMs }),
    ...(rpoMs !== undefined && { rpoMs }),
    steps: state.steps.map((step) => viewOfStep(state, step, nowMs)),
    notes: state.notes.map(({ text, by, timeMs }) => ({ text, by, time: at(timeMs) })),
    ...(breach !== undefined && {
      breach: {
        since: at(breach.sinceMs),
        reportBy: at(breach.sinceMs + BREACH_WITHIN_MS),
        ...(breach.reported && { reportedTo: breach.reported.to }),
      },
    }),
    ...(ended?.standing !== undefined && { standing: ended.standing }),
    ...(state.kept !== undefined && { kept: pickKept(state.kept) }),
  };
}

function pickKept({ until, host, kept }: NonNullable<RunState['kept']>): NonNullable<RunView['kept']> {
  return { until, host, kept };
}

function wordOf(state: RunState, nowMs: number): RunView['state'] {
  if (state.ended !== undefined) return 'closed';
  if (nextOf(state, nowMs, lookupOf(state)).end === 'stopped') return 'stopped';
  const isAsked = ({ asked, phase, verdict }: StepState): boolean =>
    phase === 'waiting' || (asked !== undefined && verdict === undefined && (phase === 'failed' || phase === 'died'));
  return state.steps.some(isAsked) ? 'waiting' : 'open';
}

function viewOfStep({ id: run, ended }: RunState, step: StepState, nowMs: number): StepView {
  const { plan, phase, attempt, beganMs, endedMs, asked, summary, error, isLate, outputs } = step;
  const isUnderWay = phase === 'running' || phase === 'waiting';
  const durationMs = isUnderWay && beganMs !== undefined ? Math.max(0, nowMs - beganMs) : step.durationMs;
  const answers = ended === undefined ? answersTo(step) : [];
  return {
    ...{ step: plan.id, do: plan.document.do, state: phase, attempt, isLate, outputs },
    ...(plan.document.title !== undefined && { title: plan.document.title }),
    ...(beganMs !== undefined && { startedAt: at(beganMs) }),
    ...(endedMs !== undefined && { endedAt: at(endedMs) }),
    ...(durationMs !== undefined && { durationMs }),
    ...(plan.withinMs !== undefined && { withinMs: plan.withinMs }),
    ...(summary !== undefined && { summary }),
    ...(error !== undefined && { error }),
    ...(answers.length > 0 && {
      waitsFor: {
        question: asked?.question ?? `${plan.id} failed: ${error?.message ?? 'nobody knows why'}`,
        ...(asked?.of !== undefined && { of: asked.of }),
        count: asked?.count ?? 1,
        agreed: asked === undefined ? [] : tally(asked).agreed.map(({ by }) => by),
        answers: [...answers],
        commands: answers.map((answer) => commandFor(run, step, answer)),
      },
    }),
  };
}

function commandFor(run: string, { plan, asked }: StepState, answer: string): string {
  const as = asked?.of === undefined ? '' : ` --as ${asked.of[0]}`;
  if (answer === 'approve') return `holdfast incident approve ${run} ${plan.id}${as}`;
  if (answer === 'done' && asked?.what === 'task') return `holdfast incident done ${run} ${plan.id}${as}`;
  return `holdfast incident answer ${run} ${plan.id} ${answer}${answer === 'refuse' ? as : ''}`;
}

function at(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
