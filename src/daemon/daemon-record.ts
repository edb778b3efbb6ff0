import type { Clock } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { EventBodies, EventKind, Recorded, Recorder } from '../ledger/index.ts';
import type { KnownRuns } from '../operations/index.ts';
import type { Log } from './log.ts';

/** So long after an event went to the journal it is tried to bring it to where it belongs. */
const FLUSH_EVERY_MS = 30_000;

type Unwritten = { [Kind in EventKind]: { kind: Kind; body: EventBodies[Kind] } }[EventKind];

/**
 * What the daemon says to the ledger, and what it knows of runs from it. Where the ledger cannot be reached events wait in
 * the journal of this machine; where even that cannot be written, here in their order, until the next attempt. What they say
 * holds all the same: work goes on while a repository is away.
 */
export class DaemonRecord {
  readonly runs: KnownRuns;
  readonly #recorder: Recorder;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #unwritten: Unwritten[] = [];
  #writing: Promise<boolean> | undefined;
  /** Repositories for whose ledgers events wait in the journal, as far as is known. */
  readonly #awaited = new Set<string>();
  /** When what waits, here or in the journal, is to be brought to the ledger; undefined when nothing does, as far as is known. */
  #flushAtMs: number | undefined;

  constructor({ runs, recorder, clock, log }: { runs: KnownRuns; recorder: Recorder; clock: Clock; log: Log }) {
    this.runs = runs;
    this.#recorder = recorder;
    this.#clock = clock;
    this.#log = log;
  }

  /** How many events are in this process alone. */
  get unwritten(): number {
    return this.#unwritten.length;
  }

  /** When `write` is to be called though nothing is recorded. */
  get nextMs(): number {
    return this.#flushAtMs ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Records an event; resolves once it is durable, or waits since neither the ledger nor the journal can be written.
   * @returns whether it is durable
   */
  async append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<boolean> {
    const time = new Date(this.#clock.nowMs()).toISOString();
    this.runs.add({ kind, body, time } as Parameters<KnownRuns['add']>[0]);
    const event = { kind, body } as Unwritten;
    this.#unwritten.push(event);
    await this.write();
    return !this.#unwritten.includes(event);
  }

  /** Tries to bring what waits to the ledger. @returns whether nothing is in this process alone any more */
  async write(): Promise<boolean> {
    while (this.#writing !== undefined) await this.#writing;
    this.#writing = this.#writeAll();
    try {
      return await this.#writing;
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeAll(): Promise<boolean> {
    for (let next = this.#unwritten[0]; next !== undefined; next = this.#unwritten[0]) {
      try {
        this.#note(await this.#recorder.record(next.kind, next.body as never));
      } catch (error) {
        const waiting = this.#unwritten.length;
        this.#log.error('neither the ledger nor the journal can be written; what happened is kept until they can', {
          error: messageOf(error),
          waiting,
        });
        this.#flushAtMs = this.#clock.nowMs() + FLUSH_EVERY_MS;
        return false;
      }
      this.#unwritten.shift();
    }
    if (this.#flushAtMs !== undefined && this.#flushAtMs <= this.#clock.nowMs()) await this.#flush();
    return true;
  }

  #note({ where, repository, because }: Recorded): void {
    if (where === 'repository') {
      // What waited for it went there before; another one may still be away, with what waits for that.
      this.#awaited.delete(repository);
      if (this.#awaited.size === 0) this.#flushAtMs = undefined;
      return;
    }
    this.#awaited.add(repository);
    if (this.#flushAtMs === undefined) {
      const error = because?.message;
      this.#log.error('the ledger cannot be written; what happens is kept in the journal of this machine', { error });
    }
    this.#flushAtMs = this.#clock.nowMs() + FLUSH_EVERY_MS;
  }

  async #flush(): Promise<void> {
    try {
      const { waiting, flushed, errors } = await this.#recorder.flush();
      this.#flushAtMs = waiting === 0 ? undefined : this.#clock.nowMs() + FLUSH_EVERY_MS;
      if (waiting > 0) {
        const [error] = errors.map(messageOf);
        this.#log.warn('what waits in the journal cannot be brought to the ledger yet', { events: waiting, error });
      } else {
        this.#awaited.clear();
        this.#log.info('what waited in the journal is in the ledger', { events: flushed });
      }
    } catch (error) {
      this.#flushAtMs = this.#clock.nowMs() + FLUSH_EVERY_MS;
      this.#log.error('the journal of this machine cannot be read', { error: messageOf(error) });
    }
  }
}
