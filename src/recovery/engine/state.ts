/** What has become of a run and its steps, as its events tell. Pure. */
import type {
  DrillEnded,
  DrillKept,
  FenceCompleted,
  RecoveryStarted,
  StepAnswered,
  StepAsked,
  StepFinished,
} from '../../ledger/index.ts';
import { buildStep, type PlannedStep, stepSchema } from '../../plan/index.ts';
import type { Outputs } from '../step.ts';
import { personOf, personOfActor, type RunEvent } from './run-events.ts';

export type StepPhase = 'pending' | 'waiting' | 'running' | StepFinished['outcome'];
/** What a person said is to become of a step that failed, or died where nobody can tell whether it took effect. */
export type Verdict = 'again' | 'skip' | 'stop' | 'done';

export interface GivenAnswer extends Pick<StepAnswered, 'answer' | 'as' | 'note'> {
  by: string;
  timeMs: number;
}

/** What persons were asked, and what they said: each person counts once, with the newest that they said. */
export interface Asked extends Pick<StepAsked, 'what' | 'question' | 'of' | 'count'> {
  /** The attempt in which it was asked first: an answer to an earlier one counts for nothing. */
  attempt: number;
  timeMs: number;
  answers: GivenAnswer[];
}

/** Times are milliseconds since 1970. */
export interface StepState {
  plan: PlannedStep;
  /** `waiting`: it runs, and waits for persons. */
  phase: StepPhase;
  /** The newest that was begun; 0 before the first. */
  attempt: number;
  /** How many failed in a row since the beginning, or since a person said: again. */
  failures: number;
  /** When the attempt began that was not the going on of one which died. */
  beganMs?: number;
  endedMs?: number;
  durationMs?: number;
  isLate: boolean;
  /** Its time was over, and it did not heed that it was told to end: nobody knows whether it is still at it. */
  mayStillRun: boolean;
  outputs: Outputs;
  /** What an attempt found out before it did something after which nobody could. */
  noted: Outputs;
  summary?: string;
  error?: { code?: string; message?: string };
  asked?: Asked;
  verdict?: Verdict;
}

export interface Note {
  text: string;
  by: string;
  timeMs: number;
}

export interface Reported {
  to: string;
  by: string;
  timeMs: number;
}

export interface RunState {
  id: string;
  kind: 'incident' | 'drill';
  runbook: string;
  started: RecoveryStarted;
  /** Of an incident: why, and the alert that led to it. */
  why?: string;
  alert?: string;
  /** Of an incident whose steps a daemon runs. */
  runBy?: 'daemon';
  by: string;
  sinceMs: number;
  startedMs: number;
  /** In the order of the runbook. */
  steps: StepState[];
  notes: Note[];
  acknowledged?: { by: string; timeMs: number };
  breach?: { sinceMs: number; by: string; reported?: Reported };
  ended?: DrillEnded & { timeMs: number; endedBy: string };
  /** Of a drill. */
  kept?: Pick<DrillKept, 'until' | 'host' | 'kept'>;
}

const HIDDEN_STARTED: Omit<RecoveryStarted, 'since'> = {
  ...{ runbook: '', scenario: '', severity: 'p1', sinceFrom: 'start', params: {}, objectives: {}, steps: [] },
};

/**
 * @param events of one run, oldest first; what is there twice counts once
 * @param plans its steps, where they were read before
 * @returns undefined where none of them says that it began
 */
export function stateOf(id: string, events: readonly RunEvent[], plans?: readonly PlannedStep[]): RunState | undefined {
  const opening = events.find(({ kind }) => kind === 'incident.opened' || kind === 'drill.started');
  if (opening === undefined) return undefined;
  const state = begun(id, opening, plans);
  const early: StepAnsweredEvent[] = [];
  for (const event of events) {
    if (event.kind === 'step.answered' && isEarly(state, event)) {
      early.push(event);
      continue;
    }
    apply(state, event);
    if ('step' in event.body) applyWhatCameEarly(state, early, event.body.step);
  }
  const reported = reportOf(events);
  if (state.breach !== undefined && reported !== undefined) state.breach.reported = reported;
  return state;
}

/** Who first said whom a breach was reported to. */
function reportOf(events: readonly RunEvent[]): Reported | undefined {
  const event = events.find(({ kind }) => kind === 'breach.reported') as ReportedEvent | undefined;
  return event && { to: event.body.to, by: personOf(event), timeMs: Date.parse(event.time) };
}

function begun(id: string, event: RunEvent, plans?: readonly PlannedStep[]): RunState {
  const started = { ...HIDDEN_STARTED, since: event.time, ...(event.body as Partial<RecoveryStarted>) };
  const { why, alert, runBy } = event.body as { why?: string; alert?: string; runBy?: 'daemon' };
  return {
    ...{ id, kind: event.kind === 'incident.opened' ? 'incident' : 'drill', runbook: started.runbook, started },
    ...(why !== undefined && { why }),
    ...(alert !== undefined && { alert }),
    ...(runBy !== undefined && { runBy }),
    by: personOf(event as Parameters<typeof personOf>[0]),
    sinceMs: Date.parse(started.since),
    startedMs: Date.parse(event.time),
    steps: (plans ?? plansOf(started.steps)).map(unbegun),
    notes: [],
  };
}

/** @throws what is wrong with it, where a later version wrote steps that this one does not know */
function plansOf(documents: RecoveryStarted['steps']): PlannedStep[] {
  const plans: PlannedStep[] = [];
  for (const document of documents) plans.push(buildStep(stepSchema.parse(document), plans.at(-1)?.id));
  return plans;
}

function unbegun(plan: PlannedStep): StepState {
  return { plan, phase: 'pending', attempt: 0, failures: 0, isLate: false, mayStillRun: false, outputs: {}, noted: {} };
}

function returnedText({ server, isLasting, divergentTransactions, divergentBytes }: FenceCompleted): string {
  const wrote =
    divergentTransactions === undefined
      ? `${divergentBytes ?? 'unknown'} bytes of its log were`
      : `${divergentTransactions} transactions that it committed were`;
  const forgets =
    isLasting === false
      ? '; it could not write its configuration, and takes writes again once it is started anew: put `min-replicas-to-write 1000000` into its file, or have `redis.reseed` make it a replica'
      : '';
  return `${server} came back and is fenced${forgets}; ${wrote} taken over by nobody`;
}

function apply(state: RunState, event: RunEvent): void {
  const timeMs = Date.parse(event.time);
  switch (event.kind) {
    case 'incident.acknowledged':
      state.acknowledged ??= { by: personOf(event), timeMs };
      return;
    case 'incident.noted':
      note(state, { text: event.body.text, by: personOf(event), timeMs });
      return;
    case 'fence.completed':
      note(state, { text: returnedText(event.body), by: personOfActor(event.actor), timeMs });
      settlePending(state, event.body.step);
      return;
    case 'breach.declared':
      state.breach ??= { sinceMs: Date.parse(event.body.since), by: personOf(event) };
      return;
    case 'incident.closed':
    case 'drill.finished':
      state.ended ??= { ...event.body, timeMs, endedBy: personOf(event) };
      return;
    case 'drill.kept':
      state.kept ??= event.body;
      return;
    // It is looked for by itself: whoever said it may have a clock that is behind the one of who declared the breach.
    case 'breach.reported':
    case 'incident.opened':
    case 'drill.started':
      return;
    default: {
      const step = state.steps.find(({ plan }) => plan.id === event.body.step);
      if (step !== undefined) applyToStep(step, event, timeMs);
    }
  }
}

/**
 * Whether an answer stands before what it answers: whoever gave it has a clock that is behind the engine's, or both were
 * recorded in the same millisecond.
 */
function isEarly({ steps }: RunState, { body: { step, attempt, answer: said } }: StepAnsweredEvent): boolean {
  const known = steps.find(({ plan }) => plan.id === step);
  if (known === undefined || attempt < known.attempt) return false;
  if (attempt > known.attempt || known.phase === 'running') return true;
  return known.phase === 'waiting' && (said === 'again' || said === 'skip');
}

/** Answers to a step that stood before their question, as soon as it is there. */
function applyWhatCameEarly(state: RunState, early: StepAnsweredEvent[], step: string): void {
  const due = early.filter((event) => event.body.step === step && !isEarly(state, event));
  for (const event of due) {
    early.splice(early.indexOf(event), 1);
    apply(state, event);
  }
}

function note(state: RunState, added: Note): void {
  const isKnown = state.notes.some(
    ({ text, by, timeMs }) => text === added.text && by === added.by && timeMs === added.timeMs,
  );
  if (!isKnown) state.notes.push(added);
}

/** A server that the step could not reach was fenced behind it: what hangs on that goes by it. */
function settlePending({ steps }: RunState, id: string): void {
  const step = steps.find(({ plan }) => plan.id === id);
  if (step?.outputs['pending'] !== true) return;
  step.outputs = { ...step.outputs, pending: false, ...('proven' in step.outputs && { proven: true }) };
}

type StepEvent = Extract<RunEvent, { body: { step: string } }>;
type ReportedEvent = Extract<RunEvent, { kind: 'breach.reported' }>;
type StepAnsweredEvent = Extract<RunEvent, { kind: 'step.answered' }>;

function applyToStep(step: StepState, event: StepEvent, timeMs: number): void {
  switch (event.kind) {
    case 'step.started':
      if (event.body.attempt > step.attempt) start(step, event.body.attempt, timeMs);
      return;
    case 'step.finished':
      finish(step, event.body, timeMs);
      return;
    case 'step.noted':
      step.noted = event.body.noted;
      return;
    case 'step.late':
      step.isLate = true;
      return;
    case 'step.asked':
      ask(step, event.body, timeMs);
      return;
    case 'step.answered':
      answer(step, event.body, { by: personOf(event), timeMs });
  }
}

function start(step: StepState, attempt: number, timeMs: number): void {
  const goesOn = step.phase === 'died' && step.verdict === undefined;
  const isOpen = goesOn && (step.asked?.what === 'approve' || step.asked?.what === 'task');
  if (step.verdict === 'again') step.failures = 0;
  step.phase = isOpen ? 'waiting' : 'running';
  step.attempt = attempt;
  if (!goesOn || step.beganMs === undefined) step.beganMs = timeMs;
  if (!isOpen) delete step.asked;
  step.mayStillRun = false;
  for (const key of ['verdict', 'endedMs', 'durationMs', 'error', 'summary'] as const) delete step[key];
}

function finish(step: StepState, body: StepFinished, timeMs: number): void {
  const isOver = step.endedMs !== undefined && step.attempt >= body.attempt;
  if (body.attempt < step.attempt || isOver) return;
  const { outcome, outputs, summary, code, message, durationMs, mayStillRun = false } = body;
  step.phase = outcome;
  step.mayStillRun = mayStillRun;
  step.attempt = body.attempt;
  step.endedMs = timeMs;
  step.durationMs = durationMs;
  if (outcome === 'failed' || outcome === 'timed-out') step.failures++;
  else if (outcome !== 'died') step.failures = 0;
  if (outputs !== undefined) step.outputs = outputs;
  if (summary !== undefined) step.summary = summary;
  const error = { ...(code !== undefined && { code }), ...(message !== undefined && { message }) };
  if (code !== undefined || message !== undefined) step.error = error;
}

function ask(step: StepState, { what, question, of, count, attempt }: StepAsked, timeMs: number): void {
  const { asked } = step;
  if (attempt !== step.attempt || (asked?.attempt === attempt && asked.what === what && asked.question === question))
    return;
  step.asked = { what, question, count, attempt, timeMs, answers: [], ...(of !== undefined && { of }) };
  if (step.phase === 'running') step.phase = 'waiting';
}

function answer(step: StepState, body: StepAnswered, { by, timeMs }: { by: string; timeMs: number }): void {
  if (verdictsOf(step).includes(body.answer) && takesVerdict(step, body.attempt))
    giveVerdict(step, body, { by, timeMs });
  const { asked } = step;
  if (asked === undefined || step.phase !== 'waiting' || body.attempt < asked.attempt) return;
  if (asked.of !== undefined && (body.as === undefined || !asked.of.includes(body.as))) return;
  const { answer: said, as, note: text } = body;
  const given = {
    answer: said,
    by,
    timeMs,
    ...(as !== undefined && { as }),
    ...(text !== undefined && { note: text }),
  };
  asked.answers = [...asked.answers.filter((each) => each.by !== by), given];
}

/**
 * What may become of a step that failed or died, by a person's word. An approval that was refused, or not given in time, is
 * asked for again or ends it: else one person could do alone what the plan leaves to others.
 */
export function verdictsOf({ plan }: Pick<StepState, 'plan'>): readonly StepAnswered['answer'][] {
  return plan.document.do === 'approve' ? ['again', 'stop'] : ['again', 'skip', 'done', 'stop'];
}

const FAILED: readonly StepPhase[] = ['failed', 'timed-out', 'died'];

/** Only what failed or died, and only once: what was said to an earlier attempt says nothing of this one. */
function takesVerdict(step: StepState, attempt: number): boolean {
  return (
    FAILED.includes(step.phase) && attempt === step.attempt && (step.verdict === undefined || step.verdict === 'stop')
  );
}

function giveVerdict(
  step: StepState,
  { answer: said, note: text }: StepAnswered,
  { by, timeMs }: { by: string; timeMs: number },
): void {
  step.verdict = said as Verdict;
  if (said !== 'done') return;
  step.phase = 'done';
  delete step.error;
  // What a person did took until they said so, and not until the step failed: it counts for the RTO.
  step.endedMs = Math.max(timeMs, step.endedMs ?? timeMs);
  if (step.beganMs !== undefined) step.durationMs = Math.max(0, step.endedMs - step.beganMs);
  step.summary = `done by hand, says ${by}${text === undefined ? '' : `: ${text}`}`;
}

/** What has come of a question: who agreed, each person once, and who said no. */
export function tally({ answers, count }: Asked): {
  agreed: GivenAnswer[];
  isEnough: boolean;
  refusedBy?: GivenAnswer;
} {
  const agreed = answers.filter(({ answer: said }) => said === 'approve' || said === 'done');
  const refusedBy = answers.find(({ answer: said }) => said === 'refuse' || said === 'stop');
  return { agreed, isEnough: agreed.length >= count, ...(refusedBy && { refusedBy }) };
}
