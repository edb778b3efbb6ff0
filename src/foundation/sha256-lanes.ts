import { BLOCK_BYTES, digestOf, FIRST_STATE, PairOfStates, type Sha256Calls } from './sha256-calls.ts';

/** Whole blocks in memory. */
interface Stretch {
  address: number;
  blocks: number;
}

/** A message to be hashed. */
export interface LaidMessage extends Stretch {
  /** What ends it, where that lies elsewhere. */
  end?: Stretch;
}

/** One message after the other, each beginning where the one before it has ended. */
class Lane {
  readonly column: number;
  /** Its place among the messages; undefined when there are no more. */
  message: number | undefined;
  address = 0;
  blocks = 0;
  end: Stretch | undefined;

  constructor(column: number) {
    this.column = column;
  }

  goTo({ address, blocks }: Stretch, end?: Stretch): void {
    this.address = address;
    this.blocks = blocks;
    this.end = end;
  }
}

/** Hashes many messages, two at a time: whichever ends makes place for the next one. */
export class TwoLanes {
  readonly #pair: PairOfStates;
  readonly #lanes: readonly [Lane, Lane] = [new Lane(0), new Lane(1)];
  readonly #state = new Uint32Array(FIRST_STATE.length);

  constructor(calls: Sha256Calls) {
    this.#pair = new PairOfStates(calls);
  }

  /** @returns 32 bytes for each */
  hash(messages: readonly LaidMessage[]): Buffer[] {
    const digests = new Array<Buffer>(messages.length);
    const [first, second] = this.#lanes;
    let next = 0;
    const goOn = (lane: Lane): void => {
      if (lane.blocks > 0) return;
      if (lane.end !== undefined) {
        lane.goTo(lane.end);
        return;
      }
      if (lane.message !== undefined) digests[lane.message] = this.#digest(lane);
      lane.message = next < messages.length ? next++ : undefined;
      if (lane.message === undefined) return;
      this.#pair.set(lane.column, FIRST_STATE);
      const message = messages[lane.message]!;
      lane.goTo(message, message.end);
    };
    for (;;) {
      goOn(first);
      goOn(second);
      if (first.blocks === 0 && second.blocks === 0) return digests;
      const blocks = Math.min(first.blocks || second.blocks, second.blocks || first.blocks);
      for (const lane of this.#lanes) this.#place(lane, blocks);
      this.#pair.addPlaced();
    }
  }

  #place(lane: Lane, mostBlocks: number): void {
    const blocks = Math.min(lane.blocks, mostBlocks);
    this.#pair.place(lane.column, lane.address, blocks);
    lane.address += blocks * BLOCK_BYTES;
    lane.blocks -= blocks;
  }

  #digest({ column }: Lane): Buffer {
    this.#pair.get(column, this.#state);
    return digestOf(this.#state);
  }
}
