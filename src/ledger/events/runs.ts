/** What the daemon did, and when it was due. Times are RFC 3339. */
export interface RunEvents {
  'daemon.started': { version: string; plan: string };
  'daemon.stopped': { reason: string };
  /** What the daemon does beside tasks went wrong, for the first time after it went well, or in another way than before. */
  'duty.failed': { duty: string; code: string; message: string };
  'duty.recovered': { duty: string };
  /** The daemon goes by another version of the plan's file from here on. */
  'plan.reloaded': { sha256: string };
  /** It was to, and what is in the file is no plan: it goes by the one that it has. */
  'plan.refused': { problems: string[] };
  /** What is in the plan's file is not, or is again, what the daemon goes by. */
  'plan.differs': { state: 'changed' | 'broken' | 'removed' | 'same' };
  /** Which tasks the plan has, where that is not as it was: what was due is counted from here on. */
  'tasks.changed': TasksChanged;
  'run.started': RunStarted;
  'run.finished': RunFinished;
  /** A process died in the middle of a run, which another one found. */
  'run.died': { run: string; task: string };
  /** Moments at which it was due and did not begin; it is made up for once. */
  'run.missed': RunMissed;
}

export interface TasksChanged {
  timezone: string;
  /** Those that are new, or have another schedule: as it was written. */
  planned: { task: string; schedule: string }[];
  /** Ids of those that the plan has no more. */
  removed: string[];
}

export interface RunMissed {
  task: string;
  /** The first and the last of the moments. */
  from: string;
  to: string;
  /** Of more than 400, 400. */
  count: number;
  /** `away`: nobody was there; `busy`: the run before, or what it had to wait for, took so long. Earlier versions knew only of the first. */
  reason?: 'away' | 'busy';
}

export interface RunStarted {
  /** A random id. */
  run: string;
  /** The id of the task, such as `backup:omni-db`. */
  task: string;
  /** When it was due; absent when somebody asked for it. */
  due?: string;
  /** From 1: how often it was tried for the same moment. */
  attempt: number;
}

export interface RunFinished {
  run: string;
  task: string;
  /** `missed`: it ran, and an objective or a validation was missed. */
  outcome: 'done' | 'partial' | 'missed' | 'failed';
  code?: string;
  message?: string;
  /** Whether the same may succeed when it is tried again. */
  retryable?: boolean;
  durationMs: number;
}
