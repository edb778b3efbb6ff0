import type { Schedule } from '../../schedule/index.ts';

export type TaskKind =
  | 'backup'
  | 'follow'
  | 'verify'
  | 'archive'
  | 'replicate'
  | 'retain'
  | 'prune'
  | 'check'
  | 'checkpoint'
  | 'report'
  | 'drill';

/** Something that the plan has done by itself, again and again. Plain data. */
export interface Task {
  /** `<kind>:<subject>`, such as `backup:omni-db` or `verify:weekly`: the same in every process and for as long as the plan names it. */
  id: string;
  kind: TaskKind;
  /** What it is about: a source, a verification, a repository, a report; of a drill `RUNBOOK-NUMBER`, or `rescue-NUMBER`. */
  subject: string;
  schedule: Schedule;
  /**
   * What no other task may work on meanwhile: the names of sources that it reads, and of a repository that it tidies up or
   * verifies `repository/NAME`. No backup need wait for those.
   */
  sources: readonly string[];
  /** Lower comes first: see `PRIORITY`. */
  priority: number;
}

/** What goes first where not all can go on at once. */
export const PRIORITY = { recovery: 0, backup: 1, proof: 2, upkeep: 3 } as const;
