import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../foundation/clock.ts';
import { currentUser } from '../foundation/user.ts';
import { EVENT_VERSION, type EventBodies, type EventEnvelope, type EventKind } from './events.ts';
import { chainKey, sha256 } from './objects.ts';

/** An event that is to be recorded. */
export type NewEvent = { [Kind in EventKind]: { kind: Kind; body: EventBodies[Kind] } }[EventKind];

/** Events that follow one another in one chain, and lie in one object. */
export interface ChainedEvents {
  /** Of the object, within the ledger. */
  key: string;
  writer: string;
  /** Of the first of them. */
  sequence: number;
  /** The bytes of each. */
  plains: Buffer[];
}

/** One chain as it is written: each event names the one before it. */
export class ChainWriter {
  readonly writer = randomBytes(16).toString('hex');
  readonly #clock: Clock;
  #sequence = 0;
  #previous: string | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether nothing is in the chain yet: then its first event is to name the newest of others. */
  get isNew(): boolean {
    return this.#sequence === 0;
  }

  /** The newest event of the chain, as others name it. */
  get head(): Record<string, string> {
    return this.#previous === null ? {} : { [this.writer]: this.#previous };
  }

  /**
   * Takes events into the chain: whatever becomes of them, what comes next builds on them.
   * @param heads the newest events of others, for the first event of the chain
   * @param by who it was; who runs this process, when left out
   */
  add(events: readonly NewEvent[], heads: Record<string, string>, by = thisActor()): ChainedEvents {
    const first = this.#sequence;
    const time = new Date(this.#clock.nowMs()).toISOString();
    const plains = events.map(({ kind, body }) => {
      const envelope: EventEnvelope = {
        version: EVENT_VERSION,
        writer: this.writer,
        sequence: this.#sequence,
        previous: this.#previous,
        heads: this.isNew ? heads : {},
        time,
        actor: by,
      };
      const plain = Buffer.from(JSON.stringify({ ...envelope, kind, body }));
      this.#previous = sha256(plain);
      this.#sequence++;
      return plain;
    });
    return { key: chainKey(this.writer, first), writer: this.writer, sequence: first, plains };
  }
}

function thisActor(): string {
  return `${currentUser().username}@${hostname()}`;
}
