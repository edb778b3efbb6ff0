import type { Workspace } from '../../src/operations/index.ts';
import type { ReviewKind, RuleName } from '../../src/plan/index.ts';
import type { PromisedMoments, PromisedRetention } from './oracle.ts';

export type Severity = 'p1' | 'p2' | 'p3';

/** What goes wrong for a time, and what must come of it. */
export interface Failure {
  name: string;
  fromMs: number;
  untilMs: number;
  begin(): Promise<void> | void;
  /** What somebody does about it. */
  end(workspace: Workspace): Promise<void> | void;
  /** The alert that must be raised while it lasts, and resolved at last. */
  alert: { rule: RuleName; subject: string; severity: Severity };
  /** What else may be raised while it lasts: rules, or one of a subject, as `backup-failed omni-db`. */
  also?: readonly string[];
  /** What cannot be done meanwhile, by tasks; `*` is all. */
  stops?: readonly string[];
  /** Somebody says so long after the alert that he sees to it. */
  acknowledgedAfterMs?: number;
  /** For so long after its beginning and its end time passes minute by minute: what is watched is asked more often. */
  closelyMs?: number;
}

/** What is kept of a source in one repository. */
export interface KeptSource {
  repository: string;
  source: string;
  retention: PromisedRetention;
}

/** A plan, the world that it protects, and what it promises. */
export interface Scenario {
  name: string;
  /** The file. */
  plan: string;
  timezone: string;
  /** Directories of the repositories, by name, with their passwords. */
  repositories: Readonly<Record<string, { directory: string; password: string }>>;
  /** Makes what is protected, and changes a little of it: called every half hour of simulated time. */
  live(nowMs: number): Promise<void> | void;
  failures: Failure[];
  kept: readonly KeptSource[];
  /** When each task of the plan is due. Of a drill each step has to be done, and its control to find what it plants. */
  tasks: Readonly<Record<string, PromisedMoments>>;
  /** When each review is due; people hold it the same day, unless a failure says that they forget it. */
  reviews: Readonly<Partial<Record<ReviewKind, PromisedMoments>>>;
  /** What is wrong with what stock restic restored of a source as it was at a moment; undefined when it is as it was. */
  wrongIn(source: string, restored: string, timeMs: number): string | undefined;
  close(): Promise<void>;
}
