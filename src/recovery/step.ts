import type { Clock } from '../foundation/clock.ts';
import type { Workspace } from '../operations/index.ts';
import type { PlannedStep, StepKindName, StepOf } from '../plan/index.ts';

/** What a step found out, by the names in `plan/runbooks/steps/outputs.ts`. Nothing secret. */
export type Outputs = Record<string, string | number | boolean>;

/** What a step is run, or looked at beforehand, with. */
export interface StepContext<Kind extends StepKindName = StepKindName> {
  /** Its keys, with what is known filled in: in a look beforehand `${restore.url}` may still stand as it is written. */
  step: StepOf<Kind>;
  run: {
    /** The id of the incident or drill. */
    id: string;
    kind: 'incident' | 'drill';
    runbook: string;
    sinceMs: number;
    /** The runbook as it was when the run began: what the plan says by now may be something else. */
    steps: readonly PlannedStep[];
  };
  workspace: Workspace;
  clock: Clock;
  /** Ends the step: its time is over, or somebody aborted. */
  signal: AbortSignal;
  /** A line for whoever watches: what it is at just now. */
  tell(line: string): void;
  /** What an earlier step found out; undefined where there is none. */
  output(step: string, name: string): string | number | boolean | undefined;
  /** What an attempt of this step before this one noted last; nothing where none did. */
  noted: Outputs;
  /**
   * Returns once it is durable what this attempt found out, for the next one where its process dies: what nobody can find out any
   * more after what it does next.
   */
  note(found: Outputs): Promise<void>;
  /** When it began, in milliseconds since 1970: where its process died in the middle, before that. */
  beganMs: number;
  /**
   * Asks persons, and waits until as many have said yes as it takes. What was said before its process died counts.
   * @returns who said it, each person once
   * @throws approval-refused where one of them says no; the reason of the signal
   */
  ask(question: Question): Promise<Answer[]>;
}

/** What persons are asked in the middle of a step. */
export interface Question {
  /** `approve`: whether to go on; `task`: that a person does something, and says so. */
  what: 'approve' | 'task';
  question: string;
  /** Contacts whose answer counts; anybody's where it is left out. */
  of?: readonly string[];
  /** How many distinct persons; 1 when left out. */
  count?: number;
}

export interface Answer {
  /** The account, or who the API knows. */
  by: string;
  /** The contact that the person answers as. */
  as?: string;
  note?: string;
}

/** A step in words, from the plan alone. */
export interface Described {
  /** In a sentence, what it would do to what. */
  does: string;
  /** How a person does it without Holdfast: lines of a shell, with what they are for. */
  byHand: string[];
}

/** What a step would do, found out without changing anything. */
export interface Foreseen extends Described {
  /** From earlier proofs and drills; absent where none tells. */
  expectedMs?: number;
  /** What would make it fail: a missing permission, no recovery point, a target that cannot be reached. */
  obstacles: string[];
}

export interface StepResult {
  /** `partial`: done, and some of it could not be. `skipped`: a drill does without it. */
  outcome: 'done' | 'partial' | 'skipped';
  /** What was done to what, in a sentence. */
  summary: string;
  outputs: Outputs;
}

/**
 * One kind of step of a runbook. Every kind passes the suite in `test/support/step-conformance.ts`.
 */
export interface StepKind<Kind extends StepKindName = StepKindName> {
  /** Looks at nothing: what is printed for the day on which nothing can be reached is the same as on any other. */
  describe(context: StepContext<Kind>): Described;
  /**
   * Looks, and changes nothing. What cannot be looked at is an obstacle, not an error.
   */
  foresee(context: StepContext<Kind>): Promise<Foreseen>;
  /**
   * Does it. What was done before it died in the middle is found and not done again, unless `afterDeath` says otherwise.
   * @throws HoldfastError; the reason of the signal
   */
  run(context: StepContext<Kind>): Promise<StepResult>;
  /**
   * What becomes of one that died in the middle: `again` where running it again does no harm, which is so where this is
   * absent; `ask` where only a person can tell; or what it had done, where that can be found out.
   */
  afterDeath?(context: StepContext<Kind>): Promise<'again' | 'ask' | StepResult>;
  /** For whoever aborts, undoes what it did, as far as it had got, and says what is so now. */
  undo?(context: StepContext<Kind>): Promise<string>;
  /** Where nothing is undone: what it left standing once it was done, in words. Looks at nothing. */
  leaves?(context: StepContext<Kind>): string;
  /** What a drill does with it where the plan does not say: see `drill` in the plan's format. */
  inDrill: 'run' | 'skip';
}
