import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Caller } from '../../operations/index.ts';
import type { ApiContext } from './context.ts';
import { originOf } from './failed-logins.ts';

const WINDOW_MS = 60 * 60_000;
/** Summed up before the hour is over, so that what is kept here stays small. */
const MOST_WINDOWS = 1_000;

export interface AnsweredCall {
  method: string;
  /** Without what follows a question mark. */
  path: string;
  /** The path as the API's description has it. */
  route: string;
  status: number;
}

interface CallWindow {
  caller: Caller;
  sinceMs: number;
  seen: Set<string>;
  calls: Record<string, number>;
}

interface LoginWindow {
  sinceMs: number;
  further: number;
}

/**
 * What the ledger is told of calls. Whatever changed something is an event of its own; so is the first read of a token in an
 * hour, and the first refusal of each kind. Further ones are counted, and are one event when the hour is over: a dashboard
 * that asks every few seconds writes 48 events a day, and who guesses tokens cannot fill the repository.
 */
export class CallRecord {
  readonly #record: ApiContext['record'];
  readonly #clock: Clock;
  readonly #calls = new Map<string, CallWindow>();
  readonly #logins = new Map<string, LoginWindow>();

  constructor(record: ApiContext['record'], clock: Clock) {
    this.#record = record;
    this.#clock = clock;
  }

  /**
   * Resolves once it is recorded, where it is an event of its own.
   * @throws output-failed for what changed something, and is recorded nowhere that lasts
   */
  async called(caller: Caller, { method, path, route, status }: AnsweredCall): Promise<void> {
    await this.writeEnded();
    const { tokenId: token, name, role } = caller;
    const isRead = method === 'GET' && status < 400;
    if (isRead || status >= 400) {
      const window = this.#windowOf(caller);
      const kind = isRead ? 'read' : `${method} ${route} ${status}`;
      if (window.seen.has(kind)) {
        const counted = `${method} ${route} ${status}`;
        window.calls[counted] = (window.calls[counted] ?? 0) + 1;
        return;
      }
      window.seen.add(kind);
    }
    const isDurable = await this.#record('api.called', { method, path, status, token, name, role });
    if (isDurable !== false || isRead || status >= 400) return;
    throw new HoldfastError('output-failed', 'it was done, and neither the ledger nor the journal takes that it was', {
      hint: 'Look at what there is before you do it again. The record is kept in memory, and written as soon as it can be.',
    });
  }

  async loginFailed(address: string): Promise<void> {
    await this.writeEnded();
    const from = originOf(address);
    const window = this.#logins.get(from);
    if (window !== undefined) {
      window.further++;
      return;
    }
    this.#logins.set(from, { sinceMs: this.#clock.nowMs(), further: 0 });
    await this.#record('login.failed', { from, attempts: 1 });
  }

  /** When something is to be written next, in milliseconds since 1970; infinite where nothing waits. */
  get nextMs(): number {
    const windows = [...this.#calls.values(), ...this.#logins.values()];
    return windows.reduce((next, { sinceMs }) => Math.min(next, sinceMs + WINDOW_MS), Number.POSITIVE_INFINITY);
  }

  /** Writes the sums of the hours that are over, or of all: at the end. */
  async writeEnded(all = false): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const isFull = this.#calls.size + this.#logins.size > MOST_WINDOWS;
    // A clock that was set back would keep a window open.
    const isOver = (sinceMs: number): boolean =>
      all || isFull || nowMs - sinceMs >= WINDOW_MS || nowMs < sinceMs - WINDOW_MS;
    for (const [id, window] of this.#calls) {
      if (!isOver(window.sinceMs)) continue;
      this.#calls.delete(id);
      await this.#writeCalls(window);
    }
    for (const [from, { sinceMs, further }] of this.#logins) {
      if (!isOver(sinceMs)) continue;
      this.#logins.delete(from);
      if (further > 0) await this.#record('login.failed', { from, attempts: further });
    }
  }

  async #writeCalls({ caller: { tokenId: token, name, role }, sinceMs, calls }: CallWindow): Promise<void> {
    if (Object.keys(calls).length === 0) return;
    const [since, until] = [sinceMs, this.#clock.nowMs()].map((ms) => new Date(ms).toISOString()) as [string, string];
    await this.#record('api.summarised', { token, name, role, since, until, calls });
  }

  #windowOf(caller: Caller): CallWindow {
    const known = this.#calls.get(caller.tokenId);
    if (known !== undefined) return known;
    const fresh = { caller, sinceMs: this.#clock.nowMs(), seen: new Set<string>(), calls: {} };
    this.#calls.set(caller.tokenId, fresh);
    return fresh;
  }
}
