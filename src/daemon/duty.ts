import type { Clock } from '../foundation/clock.ts';
import type { Workspace } from '../operations/index.ts';
import type { DaemonRecord } from './daemon-record.ts';
import type { Log } from './log.ts';
import type { Recoveries } from './recoveries.ts';

/**
 * Something that the daemon does from time to time beside the plan's tasks: looking for what is wrong, asking services,
 * telling a watch outside that all is well. It is done by one daemon of a plan alone, and never twice at once.
 */
export interface Duty {
  name: string;
  /** When it is to be done next, in milliseconds since 1970, given the time; not before the last one ended. */
  nextMs(nowMs: number): number;
  /** @throws what went wrong, which the daemon records and alarms; it is called again all the same */
  run(nowMs: number, signal: AbortSignal): Promise<void>;
}

/** What duties are made of. They are made anew when the plan is loaded again. */
export interface DutyContext {
  /** The plan at work; its signal is aborted when the daemon stops. */
  workspace: Workspace;
  /** The ledger as the daemon writes it, and what it knows of runs. */
  record: DaemonRecord;
  clock: Clock;
  log: Log;
  /** What runs the steps of incidents; undefined where nothing can be run. */
  recoveries?: Pick<Recoveries, 'goOn'>;
  /** Where people reach the API: links in alerts lead there. */
  publicUrl?: string;
}

/** Makes the duties of a part of the daemon. */
export type MakeDuties = (context: DutyContext) => Duty[];
