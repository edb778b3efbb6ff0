/** Work to be done, as plain JSON: whoever takes it may be another process on another machine. */
export interface Job {
  /** Two jobs of one id are the same: the second is not taken while the first waits or is under way. */
  id: string;
  kind: string;
  /** Of a task of the plan, its id. */
  task?: string;
  subject: string;
  /** RFC 3339: the moment that it is for; absent when somebody asked for it. */
  due?: string;
  /** Lower comes first. */
  priority: number;
  /** No two jobs that name one of these are under way at the same time. */
  sources: readonly string[];
  /** From 1. */
  attempt: number;
}

/**
 * Does a job. What comes of it is recorded by the worker: jobs remember nothing.
 * @param signal aborted when the jobs stop: what cannot be finished within seconds is to be given up then
 */
export type Worker = (job: Job, signal: AbortSignal) => Promise<void>;

/**
 * The boundary between what is to be done and who does it. What waits here may be lost at any instant, and is found again by
 * who asks the ledger what is due: nothing in it is the truth.
 */
export interface Jobs {
  /** @returns whether it was taken: not when one of its id waits or is under way, nor once stopped */
  enqueue(job: Job): Promise<boolean>;
  /** The same at a moment to come, in milliseconds since 1970. */
  schedule(job: Job, atMs: number): Promise<boolean>;
  /** Says who does jobs; from then on they begin. To be called once. */
  work(worker: Worker): Promise<void>;
  /** Begins nothing more, and resolves when nothing is under way. What waits is forgotten. */
  stop(): Promise<void>;
}
