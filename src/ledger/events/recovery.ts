/**
 * How a recovery goes: of an incident, or of a drill, whose id is `run` in what both have alike. What is said here is all that
 * is needed to go on elsewhere. Times are RFC 3339.
 */
export interface RecoveryEvents {
  /** A recovery has begun, until `incident.closed`: nothing is removed meanwhile that it may need. */
  'incident.opened': IncidentOpened;
  'incident.acknowledged': { incident: string; by?: string };
  'incident.noted': { incident: string; text: string; by?: string };
  /** Personal data may be in others' hands: the authority is to be told within 72 hours of `since`. */
  'breach.declared': { incident: string; since: string; by?: string };
  'breach.reported': { incident: string; to: string; by?: string };
  'incident.closed': RecoveryEnded & { incident: string };
  /** A source's server is another one from now on. In the ledger of the repository that the source is kept in. */
  'source.moved': SourceMoved;
  'drill.started': RecoveryStarted & { drill: string; network: 'isolated' | 'none' };
  /** `died`: its process ended in the middle, as a later one found out. */
  'drill.finished': DrillEnded & { drill: string };
  'drill.kept': DrillKept;
  'step.started': StepStarted;
  'step.finished': StepFinished;
  'step.noted': StepNoted;
  /** It took longer than its share of the budget, and goes on. */
  'step.late': { run: string; step: string; attempt: number; withinMs: number };
  /** A server that was out of reach when it was to be fenced came back, and was: by the engine or a daemon, at first sight. */
  'fence.completed': FenceCompleted;
  /** It waits for persons. */
  'step.asked': StepAsked;
  /** One person said something to what was asked: more than one may be needed. */
  'step.answered': StepAnswered;
}

/** A value that lies elsewhere, as the plan refers to such: `{ env: NAME }`. */
type Reference = Readonly<Record<string, unknown>>;

export interface SourceMoved {
  source: string;
  /** The address as the plan had it: once that says something else, it comes first again. */
  was: string | Reference;
  /** A standby of the plan; an address without a password, and where that is; or where the plan says, again. */
  to: 'plan' | { standby: string } | { url: string | Reference; password?: Reference };
  /** The incident or drill. */
  run?: string;
}

export interface RecoveryStarted {
  runbook: string;
  scenario: string;
  severity: string;
  /** Since when it counts, and from what that is known. */
  since: string;
  sinceFrom: 'given' | 'alert' | 'start';
  /** Values of the parameters, by name; of those that may be secret, none. */
  params: Record<string, string>;
  objectives: { rtoMs?: number; rpoMs?: number };
  /** The runbook as it was: what the plan says later changes nothing. */
  steps: readonly Record<string, unknown>[];
  /** The task of the daemon that had it done, where one did. */
  task?: string;
  by?: string;
}

/** Earlier versions knew `why` alone. */
export interface IncidentOpened extends Partial<RecoveryStarted> {
  incident: string;
  why: string;
  /** The alert that led to it. */
  alert?: string;
  /** Who runs its steps: a daemon goes on with them by itself when it is started again. */
  runBy?: 'daemon';
}

export interface RecoveryEnded {
  /** `partial`: what was run is done, and some of it could not be run. `missed`: done, and later than promised. */
  outcome?: 'done' | 'partial' | 'missed' | 'failed' | 'aborted';
  why?: string;
  /** From `since` until what people use was back; absent where it was not. */
  rtoMs?: number;
  /** How much was lost, where that is known. */
  rpoMs?: number;
  /** What an aborted one left as it is, in words. */
  standing?: string[];
  durationMs?: number;
  by?: string;
}

/** What a drill restored and left for somebody to look at. */
export interface DrillKept {
  drill: string;
  /** RFC 3339. */
  until: string;
  host: string;
  /** Where each lies as files; without a place, its kind of sandbox could not keep it. */
  kept: { source: string; place?: string }[];
}

export interface DrillEnded extends Omit<RecoveryEnded, 'outcome'> {
  outcome?: NonNullable<RecoveryEnded['outcome']> | 'died';
}

export interface StepStarted {
  run: string;
  step: string;
  /** From 1. Only who put the claim of this attempt may run it. */
  attempt: number;
}

/** What a step found out before it did something after which nobody could: for the attempt that follows where its process dies. */
export interface StepNoted {
  run: string;
  step: string;
  attempt: number;
  noted: Record<string, string | number | boolean>;
}

export interface StepFinished {
  run: string;
  step: string;
  /** 0 of a step that was passed over. */
  attempt: number;
  /** `partial`: done, and some of it could not be. `died`: its process ended in the middle. */
  outcome: 'done' | 'partial' | 'failed' | 'skipped' | 'timed-out' | 'died';
  /** What it found out, for later steps and the report: nothing secret. */
  outputs?: Record<string, string | number | boolean>;
  /** What was done to what, in a sentence. */
  summary?: string;
  code?: string;
  message?: string;
  /** Of one that timed out: it did not heed that it was told to end. */
  mayStillRun?: true;
  durationMs: number;
  by?: string;
}

export interface FenceCompleted {
  run: string;
  /** The step that could not. */
  step: string;
  source: string;
  /** `shop on db.example:5432`. */
  server: string;
  /** It could not write that down, and takes writes again once it is started anew. */
  isLasting?: false;
  /** What it wrote that nobody took over, where that is known: of its log, and transactions committed there. */
  divergentBytes?: number;
  divergentTransactions?: number;
}

export interface StepAsked {
  run: string;
  step: string;
  attempt: number;
  /** `approve`: whether to go on; `task`: that a person does something; `failure`: what to do after one; `died`: whether it took effect. */
  what: 'approve' | 'task' | 'failure' | 'died';
  question: string;
  /** Contacts, whose answer counts; anybody's where it is absent. */
  of?: string[];
  count: number;
}

export interface StepAnswered {
  run: string;
  step: string;
  attempt: number;
  answer: 'approve' | 'refuse' | 'done' | 'again' | 'skip' | 'stop';
  /** The contact that the person answers as. */
  as?: string;
  note?: string;
  by?: string;
}
