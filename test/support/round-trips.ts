import { setImmediate } from 'node:timers/promises';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  type Use,
} from '../../src/store/index.ts';

/** After so many turns of the event loop nobody has anything left to do but to wait for answers. */
const QUIET_TURNS = 8;

/**
 * Counts how often work waits for a distant store: what is asked for before an answer came goes in one round trip. By no
 * clock: answers come once nothing else is asked for.
 */
export class RoundTrips {
  count = 0;
  /** What was asked for in each, in the order in which it was. */
  readonly asked: string[][] = [];
  #waiting: { call: string; answer: () => void }[] = [];

  /** A store that is as far away as all others of these. */
  to(store: ObjectStore): ObjectStore {
    return new DistantStore(store, (call) => this.#roundTrip(call));
  }

  #roundTrip(call: string): Promise<void> {
    return new Promise((answer) => {
      this.#waiting.push({ call, answer });
      if (this.#waiting.length === 1) void this.#answerOnceQuiet();
    });
  }

  async #answerOnceQuiet(): Promise<void> {
    for (let turns = 0, known = 0; turns < QUIET_TURNS; turns++) {
      if (this.#waiting.length !== known) turns = 0;
      known = this.#waiting.length;
      await setImmediate();
    }
    const answered = this.#waiting;
    this.#waiting = [];
    this.count++;
    this.asked.push(answered.map(({ call }) => call));
    // Who asks for several at once relies on no order among them.
    for (const { answer } of answered.toReversed()) answer();
  }
}

class DistantStore extends DecoratedStore {
  readonly #roundTrip: (call: string) => Promise<void>;

  constructor(inner: ObjectStore, roundTrip: (call: string) => Promise<void>) {
    super(inner);
    this.#roundTrip = roundTrip;
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    await this.#roundTrip(`put ${key}`);
    await super.put(key, content, options);
  }

  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    await this.#roundTrip(`get ${key}`);
    return super.get(key, range, use);
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    await this.#roundTrip(`list ${prefix}`);
    yield* super.list(prefix);
  }

  override async stat(key: string): Promise<StoredObject | undefined> {
    await this.#roundTrip(`stat ${key}`);
    return super.stat(key);
  }

  override async delete(key: string): Promise<void> {
    await this.#roundTrip(`delete ${key}`);
    await super.delete(key);
  }
}
