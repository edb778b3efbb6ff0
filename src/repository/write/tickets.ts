/**
 * How the main thread hands chunks to the workers: tickets in shared memory. A ticket says where in the shared slabs a
 * chunk lies; the worker that takes it writes the blob's id back. Bulk data never crosses a message.
 *
 * Tickets are numbered from 0 on; number n lives in place n modulo TICKETS, which is free again once the main thread has
 * collected ticket n - TICKETS.
 */

export const TICKETS = 256;
const WORDS = 6;
const ID_BYTES = 32;

/** Cells of the control words. */
const ISSUED = 0;
const TAKEN = 1;
const DONE = 2;
const CLOSED = 3;
const OPEN = 0;
const CLOSING = 1;
const GIVEN_UP = 2;
/** Changes whenever a worker that waits should look again. */
const SIGNAL = 4;
/** The main thread waits until so many tickets are done, and COLLECT changes then. */
const WAKE_AT = 5;
const COLLECT = 6;
/** From here on, a cell for each worker: how many parts of files were handed to it in all. */
const PARTS = 7;
const MOST_WORKERS = 9;
/**
 * A worker takes tickets that follow each other while there are many: what follows each other in a file then does so in a pack,
 * and a restore writes it in one go.
 */
const MOST_AT_ONCE = 16;

/** Words of a ticket. */
const STATE = 0;
const OFFSET = 1;
const LENGTH = 2;
const TYPE = 3;
const FRESH = 4;
const STORED = 5;

export interface SharedTickets {
  control: SharedArrayBuffer;
  words: SharedArrayBuffer;
  ids: SharedArrayBuffer;
}

export interface TicketResult {
  id: Buffer;
  /** Whether the blob was new and is stored now. */
  fresh: boolean;
  /** How many bytes it takes in its pack, when it is fresh. */
  storedBytes: number;
}

export interface Ticket {
  number: number;
  offset: number;
  length: number;
  type: 0 | 1;
}

export class Tickets {
  readonly shared: SharedTickets;
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #ids: Uint8Array;
  /** The tickets from one number to before another that this worker has taken, and not begun. */
  #next = 0;
  #end = 0;

  constructor(shared?: SharedTickets) {
    this.shared = shared ?? {
      control: new SharedArrayBuffer((PARTS + MOST_WORKERS) * 4),
      words: new SharedArrayBuffer(TICKETS * WORDS * 4),
      ids: new SharedArrayBuffer(TICKETS * ID_BYTES),
    };
    this.#control = new Int32Array(this.shared.control);
    this.#words = new Int32Array(this.shared.words);
    this.#ids = new Uint8Array(this.shared.ids);
  }

  // The main thread's side.

  /** Issues the next ticket. Its place must be free. */
  issue(number: number, offset: number, length: number, type: 0 | 1): void {
    const at = (number % TICKETS) * WORDS;
    this.#words[at + OFFSET] = offset;
    this.#words[at + LENGTH] = length;
    this.#words[at + TYPE] = type;
    Atomics.store(this.#words, at + STATE, 0);
    Atomics.store(this.#control, ISSUED, number + 1);
    // Whoever wakes takes it, whichever worker that is.
    Atomics.add(this.#control, SIGNAL, 1);
    Atomics.notify(this.#control, SIGNAL, 1);
  }

  /** Says to a worker that a message with a part of a file waits for it. */
  announcePart(worker: number): void {
    Atomics.add(this.#control, PARTS + worker, 1);
    this.#wake();
  }

  /** The result of a ticket, once its worker is done with it. */
  result(number: number): TicketResult | undefined {
    const place = number % TICKETS;
    const at = place * WORDS;
    if (Atomics.load(this.#words, at + STATE) === 0) return undefined;
    return {
      id: Buffer.from(this.#ids.subarray(place * ID_BYTES, (place + 1) * ID_BYTES)),
      fresh: this.#words[at + FRESH] === 1,
      storedBytes: this.#words[at + STORED]!,
    };
  }

  get doneCount(): number {
    return Atomics.load(this.#control, DONE);
  }

  /**
   * Resolves once `wanted` tickets are done in all, or at `close`. To be woken for each would cost more than a small file
   * does.
   */
  async whenDone(wanted: number): Promise<void> {
    const signal = Atomics.load(this.#control, COLLECT);
    Atomics.store(this.#control, WAKE_AT, wanted);
    if (Atomics.load(this.#control, DONE) >= wanted) return;
    const wait = Atomics.waitAsync(this.#control, COLLECT, signal);
    if (wait.async) await wait.value;
  }

  /** No more tickets will come: workers that find none left end. */
  close(): void {
    // What was given up stays so.
    Atomics.compareExchange(this.#control, CLOSED, OPEN, CLOSING);
    this.#wake();
    // Who waits for results looks again as well: after a failure there may be no more.
    this.#wakeCollector();
  }

  /** Nobody wants the results any more: workers end before their next ticket. */
  giveUp(): void {
    Atomics.store(this.#control, CLOSED, GIVEN_UP);
    this.#wake();
    this.#wakeCollector();
  }

  get isGivenUp(): boolean {
    return Atomics.load(this.#control, CLOSED) === GIVEN_UP;
  }

  #wake(): void {
    Atomics.add(this.#control, SIGNAL, 1);
    Atomics.notify(this.#control, SIGNAL);
  }

  // The workers' side.

  /**
   * What a worker does next, waiting for it: a ticket, or a part of a file that it has a message of; undefined once there
   * will be no more of either.
   * @param partsDone how many parts it has done
   */
  take(worker: number, partsDone: number): Ticket | 'part' | undefined {
    for (;;) {
      const signal = Atomics.load(this.#control, SIGNAL);
      if (this.isGivenUp) return undefined;
      const isClosing = Atomics.load(this.#control, CLOSED) === CLOSING;
      // Tickets first: the main thread goes on with other files meanwhile, and there are only so many.
      const ticket = this.takeIfThere();
      if (ticket !== undefined) return ticket;
      if (Atomics.load(this.#control, PARTS + worker) > partsDone) return 'part';
      if (isClosing) return undefined;
      Atomics.wait(this.#control, SIGNAL, signal);
    }
  }

  /** A ticket, if there is one that nobody else has taken. */
  takeIfThere(): Ticket | undefined {
    while (this.#next === this.#end) {
      const number = Atomics.load(this.#control, TAKEN);
      const there = Atomics.load(this.#control, ISSUED) - number;
      if (there <= 0) return undefined;
      // Only what is there is taken: a worker that held a place in the row would keep it waiting while it reads a file.
      const count = Math.max(1, Math.min(MOST_AT_ONCE, there >> 2));
      if (Atomics.compareExchange(this.#control, TAKEN, number, number + count) !== number) continue;
      this.#next = number;
      this.#end = number + count;
    }
    return this.#ticket(this.#next++);
  }

  #ticket(number: number): Ticket {
    const at = (number % TICKETS) * WORDS;
    return {
      number,
      offset: this.#words[at + OFFSET]!,
      length: this.#words[at + LENGTH]!,
      type: this.#words[at + TYPE] as 0 | 1,
    };
  }

  finish(number: number, id: Uint8Array, fresh: boolean, storedBytes: number): void {
    const place = number % TICKETS;
    this.#ids.set(id, place * ID_BYTES);
    this.#words[place * WORDS + FRESH] = fresh ? 1 : 0;
    this.#words[place * WORDS + STORED] = storedBytes;
    Atomics.store(this.#words, place * WORDS + STATE, 1);
    const done = Atomics.add(this.#control, DONE, 1) + 1;
    if (done >= Atomics.load(this.#control, WAKE_AT)) this.#wakeCollector();
  }

  #wakeCollector(): void {
    Atomics.add(this.#control, COLLECT, 1);
    Atomics.notify(this.#control, COLLECT);
  }
}
