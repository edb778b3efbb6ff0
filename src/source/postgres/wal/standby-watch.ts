import { isHoldfastError } from '../../../foundation/errors.ts';
import { type Location, labelOf } from '../location.ts';
import { Session } from '../session.ts';
import { type KnownMoment, type PrimaryState, readPrimary, readStandby, type StandbyState } from '../standby.ts';

export interface StandbyWatchOptions {
  standby: Location;
  /** Where the plan says where the primary is. */
  primary: Location | undefined;
  /** That is followed: of another one the positions mean something else. */
  timeline: number;
  signal: AbortSignal;
  note(message: string): void;
}

/**
 * Finds out up to which moment a standby's log is all there is. The time that comes with the log is the standby's own, which
 * goes on while it is cut off from its primary: taken for the primary's it would promise what is not there.
 */
export class StandbyWatch {
  readonly #options: StandbyWatchOptions;
  readonly #standby: AskedServer;
  readonly #primary: AskedServer | undefined;

  constructor(options: StandbyWatchOptions) {
    const { standby, primary, signal, note } = options;
    this.#options = options;
    this.#standby = new AskedServer(standby, signal, note);
    this.#primary = primary && new AskedServer(primary, signal, note);
  }

  /** What is known now: less where a server is out of reach. @throws the reason of the signal */
  async look(): Promise<KnownMoment[]> {
    const state = await this.#standby.ask<StandbyState>(readStandby);
    if (state?.isStandby !== true) return [];
    const known = await this.#primary?.ask<PrimaryState>((session) => readPrimary(session, state.system));
    return known?.timeline === this.#options.timeline ? [...state.moments, known] : state.moments;
  }

  async close(): Promise<void> {
    await this.#standby.close();
    await this.#primary?.close();
  }
}

/** A server that is asked again and again over one connection, and over another one when that is lost. */
class AskedServer {
  readonly #location: Location;
  readonly #signal: AbortSignal;
  readonly #note: (message: string) => void;
  #session: Session | undefined;
  #told = '';

  constructor(location: Location, signal: AbortSignal, note: (message: string) => void) {
    this.#location = location;
    this.#signal = signal;
    this.#note = note;
  }

  /** Undefined where it does not answer, of which a person is told once. @throws the reason of the signal */
  async ask<T>(question: (session: Session) => Promise<T>): Promise<T | undefined> {
    try {
      this.#session ??= await Session.open(this.#location, { side: 'source', signal: this.#signal });
      const answer = await question(this.#session);
      this.#told = '';
      return answer;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isHoldfastError(error)) throw error;
      await this.close();
      if (this.#told !== error.message) {
        this.#note(
          `${error.message}: the moment that the log covers stands still until ${labelOf(this.#location)} answers`,
        );
      }
      this.#told = error.message;
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }
}
