import type { HeldCopy, Workspace } from '../../operations/index.ts';
import type { DrillFaults } from '../../plan/index.ts';
import type { StepResult } from '../step.ts';
import type { Copy } from './control.ts';
import type { DrillServers } from './drill-servers.ts';

/** What a drill has open, and what it brought back. */
export interface DrillWork {
  /** Of the plan as it is: only its names are looked at. */
  living: Workspace;
  /** Why programs cannot be isolated here; undefined where they can. */
  notIsolated: string | undefined;
  /** Whether somebody is there to be asked. */
  isAttended: boolean;
  places: DrillPlace[];
  copies: Copy[];
  /** A program has worked on what was brought back. */
  areTouched: boolean;
  servers: DrillServers;
  faults: DrillFaults;
  /** How long what was restored is going to stay. */
  keepMs: number | undefined;
}

/** Where a restore of the drill went. */
export interface DrillPlace extends Pick<HeldCopy, 'keepUntil' | 'close'> {
  source: string;
  /** As steps know it: a directory, or a URL without a password. */
  to: string;
  /** Of a cluster: its server's. */
  url?: string;
  /** Where it stays by itself: it was made to. */
  keptAt?: string;
}

/** Of a step that a drill was to do, and could not. */
export function notDone(why: string): StepResult {
  return { outcome: 'partial', summary: `not done: ${why}`, outputs: {} };
}
