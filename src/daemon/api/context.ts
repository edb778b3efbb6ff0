import type { Clock } from '../../foundation/clock.ts';
import type { EventBodies, EventKind } from '../../ledger/index.ts';
import type { dueWithin, TokenCheck, Workspace } from '../../operations/index.ts';
import type { LoadedPlan } from '../../plan/index.ts';
import type { Log } from '../log.ts';
import type { Recoveries } from '../recoveries.ts';

/** What the API needs of the daemon around it. */
export interface DaemonHandle {
  /** The plan as it is now: a reload makes it another one. */
  loaded(): LoadedPlan;
  workspace(): Workspace;
  /**
   * Has a task of the plan done now, once nothing else is at work on the same.
   * @returns the id of the job
   * @throws unknown-task
   */
  start(task: string): Promise<string>;
  /** What is due by the plan until then, in milliseconds since 1970, the soonest first. */
  schedule(untilMs: number): ReturnType<typeof dueWithin>;
  /** What is being done, and what came of each task the last time. */
  runs(): KnownRun[];
  /** The incidents whose steps it runs. */
  recoveries: Pick<Recoveries, 'start' | 'resume' | 'stateOf'>;
  /** Whether no other daemon has the plan. */
  holdsLease(): boolean;
  /** Events that wait since the ledger cannot be reached. */
  unwritten: number;
}

/** What is known of the runs of a task. Times are RFC 3339. */
export interface KnownRun {
  task: string;
  underWay: { run: string; startedAt: string; due?: string; attempt: number }[];
  last?: { endedAt: string; outcome: string; message?: string };
}

export interface ApiContext {
  daemon: DaemonHandle;
  tokens: TokenCheck;
  /** Records an event; resolves once it is durable, or to false where it is kept in this process until it can be. */
  record: <Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]) => Promise<unknown>;
  clock: Clock;
  log: Log;
  /** Holdfast's own. */
  version: string;
}
