import type { Workspace } from '../../src/operations/index.ts';
import type { RuleName } from '../../src/plan/index.ts';
import type { PromisedDays, PromisedRetention } from './oracle.ts';

/** What goes wrong for a time, and what must come of it. */
export interface Failure {
  name: string;
  fromMs: number;
  untilMs: number;
  begin(): Promise<void> | void;
  /** What somebody does about it. */
  end(workspace: Workspace): Promise<void> | void;
  /** The alert that must be raised while it lasts, and resolved at last; none where the daemon itself was away. */
  alert?: { rule: RuleName; subject: string; severity: 'p1' | 'p2' | 'p3' };
  /** Somebody says so long after the alert that he sees to it. */
  acknowledgedAfterMs?: number;
}

/** A plan, the world that it protects, and what it promises. */
export interface Scenario {
  name: string;
  /** The file. */
  plan: string;
  /** Makes what is protected, and changes a little of it: called every half hour of simulated time. */
  live(nowMs: number): Promise<void> | void;
  failures: Failure[];
  /** What must be kept of each source. */
  retentions: Readonly<Record<string, PromisedRetention>>;
  /** When each verification is due. */
  verifications: Readonly<Record<string, PromisedDays>>;
  /** When each review is due; people hold it the same day. */
  reviews: Readonly<Record<string, PromisedDays>>;
  close(): Promise<void>;
}
