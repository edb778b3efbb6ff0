/** What is known of an incident or a drill when it is over, or so far: the figures of its report. Pure. */

import { rpoMsOf, rtoMsOf } from '../engine/outcome.ts';
import { personOf, type RunEvent } from '../engine/run-events.ts';
import type { RunState, StepState } from '../engine/state.ts';
import { REVIEW_WITHIN_MS } from '../steps/review.ts';

/** Times are RFC 3339. */
export interface RunReport {
  id: string;
  kind: RunState['kind'];
  runbook: string;
  scenario: string;
  severity: string;
  why?: string;
  startedBy: string;
  since: string;
  sinceFrom: 'given' | 'alert' | 'start';
  startedAt: string;
  /** Absent as long as it is under way. */
  endedAt?: string;
  outcome?: string;
  params: Record<string, string>;
  rto: Kept;
  rpo: Kept;
  steps: ReportedStep[];
  timeline: TimelineEntry[];
  approvals: { step: string; question: string; answer: string; by: string; as?: string; at: string; note?: string }[];
  notes: { at: string; by: string; text: string }[];
  breach?: { since: string; reportBy: string; reportedAt?: string; reportedTo?: string; isOverdue: boolean };
  /** What an aborted one left as it is. */
  standing: string[];
  review?: { due: string; heldAt?: string; attended: string[]; isOverdue: boolean };
  /** Earlier runs of the same runbook, the newest first. */
  earlier: EarlierRun[];
}

/** A promise, and what became of it. */
export interface Kept {
  promisedMs?: number;
  actualMs?: number;
  /** Absent where nothing was promised, or nothing is known. */
  isMissed?: boolean;
}

export interface ReportedStep {
  step: string;
  do: string;
  title?: string;
  state: StepState['phase'];
  startedAt?: string;
  endedAt?: string;
  durationMs?: number;
  withinMs?: number;
  /** By how much it exceeded its share of the budget. */
  overMs?: number;
  attempts: number;
  summary?: string;
  error?: string;
  byHand: string[];
}

export interface TimelineEntry {
  at: string;
  by: string;
  what: string;
}

export interface EarlierRun {
  id: string;
  kind: RunState['kind'];
  startedAt: string;
  outcome: string;
  rtoMs?: number;
  durationMs?: number;
}

/** That the meeting was held. */
export interface HeldReview {
  /** As it was recorded: `incident-ID` or `drill-ID`. */
  review: string;
  attended: string[];
  timeMs: number;
}

export interface RunFacts {
  state: RunState;
  /** Of this run, oldest first. */
  events: readonly RunEvent[];
  /** All runs of the plan. */
  others: readonly RunState[];
  reviews: readonly HeldReview[];
  nowMs: number;
  /** How each step is done without Holdfast, by its id. */
  byHand: ReadonlyMap<string, readonly string[]>;
}

const BREACH_WITHIN_MS = 72 * 3_600_000;

export function runReport(facts: RunFacts): RunReport {
  const { state, nowMs } = facts;
  const { id, kind, runbook, started, ended, why } = state;
  const breach = breachOf(state, nowMs);
  const review = reviewOf(facts);
  const reason = ended?.why ?? why;
  return {
    ...{ id, kind, runbook, scenario: started.scenario, severity: started.severity },
    ...(reason !== undefined && { why: reason }),
    ...{ startedBy: state.by, since: at(state.sinceMs), sinceFrom: started.sinceFrom, startedAt: at(state.startedMs) },
    ...(ended !== undefined && { endedAt: at(ended.timeMs), outcome: ended.outcome ?? 'done' }),
    params: started.params,
    rto: rtoOf(state, nowMs),
    rpo: kept(started.objectives.rpoMs, ended?.rpoMs ?? rpoMsOf(state.steps)),
    steps: state.steps.map((step) => reportedStep(step, facts)),
    timeline: facts.events.flatMap((event) => timelineOf(event)),
    approvals: approvalsOf(facts),
    notes: state.notes.map(({ text, by, timeMs }) => ({ at: at(timeMs), by, text })),
    ...(breach && { breach }),
    standing: ended?.standing ?? [],
    ...(review && { review }),
    earlier: earlierOf(facts),
  };
}

/** As long as what people use is not back, the time so far counts. */
function rtoOf(state: RunState, nowMs: number): Kept {
  const restoredMs = state.ended?.rtoMs ?? rtoMsOf(state);
  const untilMs = state.ended?.timeMs ?? nowMs;
  const { rtoMs: promisedMs } = state.started.objectives;
  if (restoredMs !== undefined) return kept(promisedMs, restoredMs);
  const soFarMs = Math.max(0, untilMs - state.sinceMs);
  const isMissed = promisedMs !== undefined && soFarMs > promisedMs;
  return { ...(promisedMs !== undefined && { promisedMs }), ...(isMissed && { isMissed }) };
}

function kept(promisedMs: number | undefined, actualMs: number | undefined): Kept {
  return {
    ...(promisedMs !== undefined && { promisedMs }),
    ...(actualMs !== undefined && { actualMs }),
    ...(promisedMs !== undefined && actualMs !== undefined && { isMissed: actualMs > promisedMs }),
  };
}

function reportedStep(step: StepState, { byHand, nowMs, state }: RunFacts): ReportedStep {
  const { plan, phase, beganMs, endedMs, attempt, summary, error } = step;
  const { withinMs, document } = plan;
  const isUnderWay = phase === 'running' || phase === 'waiting';
  const tookMs = isUnderWay && beganMs !== undefined ? (state.ended?.timeMs ?? nowMs) - beganMs : step.durationMs;
  const overMs = withinMs !== undefined && tookMs !== undefined && tookMs > withinMs ? tookMs - withinMs : undefined;
  return {
    ...{ step: plan.id, do: document.do, state: phase, attempts: attempt, byHand: [...(byHand.get(plan.id) ?? [])] },
    ...(document.title !== undefined && { title: document.title }),
    ...(beganMs !== undefined && { startedAt: at(beganMs) }),
    ...(endedMs !== undefined && { endedAt: at(endedMs) }),
    ...(tookMs !== undefined && { durationMs: tookMs }),
    ...(withinMs !== undefined && { withinMs }),
    ...(overMs !== undefined && { overMs }),
    ...(summary !== undefined && { summary }),
    ...(error?.message !== undefined && { error: error.message }),
  };
}

/** One event in words; none for what only the program needs. */
function timelineOf(event: RunEvent): TimelineEntry[] {
  const what = wordsOf(event);
  return what === undefined ? [] : [{ at: event.time, by: personOf(event as Parameters<typeof personOf>[0]), what }];
}

function wordsOf(event: RunEvent): string | undefined {
  switch (event.kind) {
    case 'incident.opened':
      return `opened the incident: ${event.body.why}`;
    case 'drill.started':
      return `started the drill of ${event.body.runbook}`;
    case 'incident.acknowledged':
      return 'acknowledged it';
    case 'incident.noted':
      return `noted: ${event.body.text}`;
    case 'breach.declared':
      return `declared a breach of personal data, since ${event.body.since}`;
    case 'breach.reported':
      return `told ${event.body.to} of the breach`;
    case 'step.started':
      return event.body.attempt > 1
        ? `${event.body.step} begun, attempt ${event.body.attempt}`
        : `${event.body.step} begun`;
    case 'step.finished':
      return finishedWords(event.body);
    case 'step.noted':
      return `${event.body.step} found out: ${notedWords(event.body.noted)}`;
    case 'step.late':
      return `${event.body.step} took longer than its share of the budget`;
    case 'step.asked':
      return `${event.body.step} asked: ${event.body.question}`;
    case 'step.answered':
      return answeredWords(event.body);
    case 'incident.closed':
      return `closed the incident: ${event.body.outcome ?? 'done'}${behind(event.body.why)}`;
    case 'drill.finished':
      return `ended the drill: ${event.body.outcome ?? 'done'}${behind(event.body.why)}`;
  }
}

function notedWords(noted: Extract<RunEvent, { kind: 'step.noted' }>['body']['noted']): string {
  const found = Object.entries(noted).map(([name, value]) => `${name} ${value}`);
  return found.length === 0 ? 'nothing for certain' : found.join(', ');
}

function finishedWords({
  step,
  outcome,
  summary,
  message,
}: Extract<RunEvent, { kind: 'step.finished' }>['body']): string {
  const words = { done: 'done', partial: 'done in part', failed: 'failed', skipped: 'passed over' } as const;
  const others = { 'timed-out': 'ended: its time was over', died: 'died in the middle' } as const;
  return `${step} ${{ ...words, ...others }[outcome]}${behind(message ?? summary)}`;
}

function answeredWords({ step, answer, as, note }: Extract<RunEvent, { kind: 'step.answered' }>['body']): string {
  return `${step}: said "${answer}"${as === undefined ? '' : ` as ${as}`}${behind(note)}`;
}

function behind(text: string | undefined): string {
  return text === undefined || text === '' ? '' : `: ${text}`;
}

/** What persons decided: also what counted for nothing in the end, such as an answer to an attempt that was over. */
function approvalsOf({ events, state }: RunFacts): RunReport['approvals'] {
  const questions = new Map<string, string>();
  const approvals: RunReport['approvals'] = [];
  for (const event of events) {
    if (event.kind === 'step.asked') questions.set(`${event.body.step} ${event.body.attempt}`, event.body.question);
    if (event.kind !== 'step.answered') continue;
    const { step, attempt, answer, as, note } = event.body;
    const title = state.steps.find(({ plan }) => plan.id === step)?.plan.document.title;
    approvals.push({
      ...{
        step,
        question: questions.get(`${step} ${attempt}`) ?? title ?? '',
        answer,
        by: personOf(event),
        at: event.time,
      },
      ...(as !== undefined && { as }),
      ...(note !== undefined && { note }),
    });
  }
  return approvals;
}

function breachOf({ breach }: RunState, nowMs: number): RunReport['breach'] {
  if (breach === undefined) return undefined;
  const { sinceMs, reported } = breach;
  const reportByMs = sinceMs + BREACH_WITHIN_MS;
  return {
    ...{ since: at(sinceMs), reportBy: at(reportByMs), isOverdue: (reported?.timeMs ?? nowMs) > reportByMs },
    ...(reported && { reportedAt: at(reported.timeMs), reportedTo: reported.to }),
  };
}

/** Of a runbook without such a step a review is due as well, once an incident is over. */
function reviewOf({ state, reviews, nowMs }: RunFacts): RunReport['review'] {
  const step = state.steps.find(({ plan }) => plan.document.do === 'review');
  if (state.ended === undefined || (state.kind === 'drill' && step === undefined)) return undefined;
  const known = step?.outputs['due'];
  const dueMs =
    typeof known === 'string' ? Date.parse(known) : state.ended.timeMs + (step?.plan.withinMs ?? REVIEW_WITHIN_MS);
  const held = reviews.find(({ review }) => review === `${state.kind}-${state.id}`);
  return {
    ...{ due: at(dueMs), attended: held?.attended ?? [], isOverdue: (held?.timeMs ?? nowMs) > dueMs },
    ...(held && { heldAt: at(held.timeMs) }),
  };
}

function earlierOf({ state, others }: RunFacts): EarlierRun[] {
  return others
    .filter(
      (other) => other.runbook === state.runbook && other.ended !== undefined && other.startedMs < state.startedMs,
    )
    .toSorted((one, other) => other.startedMs - one.startedMs)
    .map(({ id, kind, startedMs, ended }) => ({
      ...{ id, kind, startedAt: at(startedMs), outcome: ended?.outcome ?? 'done' },
      ...(ended?.rtoMs !== undefined && { rtoMs: ended.rtoMs }),
      ...(ended?.durationMs !== undefined && { durationMs: ended.durationMs }),
    }));
}

function at(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
