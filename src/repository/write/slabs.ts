import { CHUNKER_DATA_OFFSET, chunkerMemory, MAX_CHUNK_BYTES } from '../../format/index.ts';

/** One chunk at its largest fills a slab. */
export const SLAB_BYTES = MAX_CHUNK_BYTES;
const SLAB_COUNT = 8;

/** A piece of the shared memory, at an address. It is free again when everybody who retained it has released it. */
export class Slab {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly #onFree: (slab: Slab) => void;
  #holders = 0;

  constructor(memory: SharedArrayBuffer, offset: number, onFree: (slab: Slab) => void) {
    this.offset = offset;
    this.bytes = new Uint8Array(memory, offset, SLAB_BYTES);
    this.#onFree = onFree;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#onFree(this);
  }
}

/**
 * The memory through which all bulk data goes. Who takes a slab waits until one is free.
 *
 * A lane keeps its slab while it waits for the next one, so there must be more slabs than lanes: then one at least is free
 * or with the workers, who give it back.
 */
export class Slabs {
  readonly memory: WebAssembly.Memory;
  readonly #free: Slab[] = [];
  readonly #takers: { resolve: (slab: Slab) => void; reject: (error: unknown) => void }[] = [];
  #failure: { error: unknown } | undefined;

  /** @param memory of slabs that nobody uses any more */
  constructor(memory: WebAssembly.Memory = chunkerMemory(SLAB_BYTES * SLAB_COUNT)) {
    this.memory = memory;
    for (let index = 0; index < SLAB_COUNT; index++) {
      this.#free.push(
        new Slab(this.memory.buffer, CHUNKER_DATA_OFFSET + index * SLAB_BYTES, (slab) => this.#giveBack(slab)),
      );
    }
  }

  static readonly maxLanes = SLAB_COUNT - 2;

  /** A slab, held once by the caller. */
  async take(): Promise<Slab> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const slab =
      this.#free.pop() ?? (await new Promise<Slab>((resolve, reject) => this.#takers.push({ resolve, reject })));
    slab.retain();
    return slab;
  }

  fail(error: unknown): void {
    this.#failure = { error };
    for (const taker of this.#takers.splice(0)) taker.reject(error);
  }

  #giveBack(slab: Slab): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#free.push(slab);
    else taker.resolve(slab);
  }
}
