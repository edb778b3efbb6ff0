import { hostname } from 'node:os';
import type { Clock } from '../../foundation/clock.ts';
import { settled } from '../../foundation/promises.ts';
import { currentUser } from '../../foundation/user.ts';
import type { NewAlertEvent } from './advance.ts';
import type { AlertEvent } from './book.ts';

/** What was recorded is remembered here for so long: the ledger may not show it, or have it, before then. */
const REMEMBERED_MS = 31 * 24 * 3_600_000;

/** Records an event. @throws whatever keeps it from being recorded */
export type AppendAlertEvent = (event: NewAlertEvent) => Promise<unknown>;

/**
 * What happens to alerts, on its way to the ledger. It counts from the moment at which it is given: what cannot be recorded
 * now, since the repository is away, is recorded later, in order, and nobody waits for it to be told of an alert.
 */
export class AlertRecord {
  readonly #append: AppendAlertEvent;
  readonly #clock: Clock;
  readonly #waiting: AlertEvent[] = [];
  #recent: { event: AlertEvent; timeMs: number }[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(append: AppendAlertEvent, clock: Clock) {
    this.#append = append;
    this.#clock = clock;
  }

  /** An event of now, which is still to be written. */
  add(added: NewAlertEvent): AlertEvent {
    const timeMs = this.#clock.nowMs();
    const actor = `${currentUser().username}@${hostname()}`;
    const event = { ...added, time: new Date(timeMs).toISOString(), actor } as AlertEvent;
    this.#waiting.push(event);
    this.#recent.push({ event, timeMs });
    return event;
  }

  /** What was added by this process: oldest first. */
  recent(): AlertEvent[] {
    const sinceMs = this.#clock.nowMs() - REMEMBERED_MS;
    this.#recent = this.#recent.filter(({ timeMs }) => timeMs >= sinceMs);
    return this.#recent.map(({ event }) => event);
  }

  /** Writes what waits. @throws what keeps it from being written; it waits on then */
  write(): Promise<void> {
    const writing = this.#writing.then(() => this.#write());
    this.#writing = settled(writing);
    return writing;
  }

  async #write(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      await this.#append({ kind: next.kind, body: next.body } as NewAlertEvent);
      this.#waiting.shift();
    }
  }
}
