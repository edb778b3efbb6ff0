import type { Clock } from '../../foundation/clock.ts';
import { settled } from '../../foundation/promises.ts';
import { PRIORITY } from '../../operations/index.ts';
import type { Job, Jobs, Worker } from './jobs.ts';

const DEFERRED_LOOK_MS = 60_000;
/** What a loaded machine defers waits no longer than this, or it would never be done on some. */
const LONGEST_DEFERRAL_MS = 4 * 60 * 60_000;

export interface JobQueueOptions {
  clock: Clock;
  /** So many jobs are under way at once. */
  atOnce: number;
  /** Whether the machine has so much to do, or so little memory left, that what can wait should. */
  isLoaded(): boolean;
  /** Told of a worker that threw, which it never should. */
  failed(job: Job, error: unknown): void;
}

interface Waiting {
  job: Job;
  order: number;
  fromMs: number;
  sinceMs: number;
}

/** Jobs in the memory of this process, done by it. */
export class JobQueue implements Jobs {
  readonly #options: JobQueueOptions;
  readonly #stopping = new AbortController();
  readonly #waiting = new Map<string, Waiting>();
  readonly #underWay = new Map<string, { job: Job; done: Promise<void> }>();
  #worker: Worker | undefined;
  #order = 0;
  #isDeferring = false;

  constructor(options: JobQueueOptions) {
    this.#options = options;
  }

  async enqueue(job: Job): Promise<boolean> {
    return this.schedule(job, Number.NEGATIVE_INFINITY);
  }

  async schedule(job: Job, atMs: number): Promise<boolean> {
    if (this.#stopping.signal.aborted || this.has(job.id)) return false;
    const sinceMs = Math.max(atMs, this.#options.clock.nowMs());
    this.#waiting.set(job.id, { job, order: this.#order++, fromMs: atMs, sinceMs });
    this.look();
    return true;
  }

  async work(worker: Worker): Promise<void> {
    this.#worker = worker;
    this.look();
  }

  async stop(): Promise<void> {
    this.#waiting.clear();
    this.#stopping.abort();
    await this.idle();
  }

  has(id: string): boolean {
    return this.#waiting.has(id) || this.#underWay.has(id);
  }

  /** Those that wait and are not for later, and those under way. */
  get counts(): { waiting: number; underWay: number } {
    return { waiting: this.#waiting.size, underWay: this.#underWay.size };
  }

  get underWay(): Job[] {
    return [...this.#underWay.values()].map(({ job }) => job);
  }

  /** Forgets of what waits what the test holds for. @returns what is forgotten */
  forget(isForgotten: (job: Job) => boolean): Job[] {
    const forgotten = [...this.#waiting.values()].map(({ job }) => job).filter(isForgotten);
    for (const { id } of forgotten) this.#waiting.delete(id);
    return forgotten;
  }

  /** Begins what may begin. To be called when time has passed; the queue does it itself when a job comes or ends. */
  look(): void {
    if (this.#worker === undefined || this.#stopping.signal.aborted || this.#waiting.size === 0) return;
    const nowMs = this.#options.clock.nowMs();
    const busy = new Set([...this.#underWay.values()].flatMap(({ job }) => job.sources));
    let isLoaded: boolean | undefined;
    this.#isDeferring = false;
    for (const waiting of this.#ready(nowMs)) {
      const { job } = waiting;
      if (this.#underWay.size >= this.#options.atOnce) return;
      // Behind a job that waits for a source none of the same source goes first: it would wait for ever.
      const isBlocked = job.sources.some((source) => busy.has(source));
      for (const source of job.sources) busy.add(source);
      if (isBlocked) continue;
      if (job.priority >= PRIORITY.proof && nowMs - waiting.sinceMs < LONGEST_DEFERRAL_MS) {
        isLoaded ??= this.#options.isLoaded();
        this.#isDeferring ||= isLoaded;
        if (isLoaded) continue;
      }
      this.#begin(job);
    }
  }

  /** When `look` is to be called again though nothing happened; undefined when it need not be. */
  nextMs(nowMs: number): number | undefined {
    const later = [...this.#waiting.values()].map(({ fromMs }) => fromMs).filter((fromMs) => fromMs > nowMs);
    const nextMs = Math.min(...later, this.#isDeferring ? nowMs + DEFERRED_LOOK_MS : Number.POSITIVE_INFINITY);
    return nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs;
  }

  /** Resolves when nothing is under way, and nothing that waits could begin. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all([...this.#underWay.values()].map(({ done }) => done));
  }

  #ready(nowMs: number): Waiting[] {
    return [...this.#waiting.values()]
      .filter(({ fromMs }) => fromMs <= nowMs)
      .sort((a, b) => a.job.priority - b.job.priority || a.order - b.order);
  }

  #begin(job: Job): void {
    this.#waiting.delete(job.id);
    const done = settled(this.#run(job)).then(() => {
      this.#underWay.delete(job.id);
      this.look();
    });
    this.#underWay.set(job.id, { job, done });
  }

  async #run(job: Job): Promise<void> {
    try {
      await this.#worker!(job, this.#stopping.signal);
    } catch (error) {
      this.#options.failed(job, error);
    }
  }
}
