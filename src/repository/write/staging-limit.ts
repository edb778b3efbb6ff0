/** So many packs wait: enough to keep a fast line busy from far away, and no disk or memory is filled. */
const MOST_STAGED_PACKS = 8;

const STAGED_KIBIBYTES = 0;
const IS_LIFTED = 1;

/**
 * How many bytes of packs wait to be stored. Threads that write packs faster than the store takes them wait here: what is
 * staged takes disk, or memory where the directory for it is in memory.
 */
export class StagingLimit {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #most: number;

  /** @param packSizeBytes what a pack has when it is finished */
  constructor(packSizeBytes: number, shared: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
    this.#most = MOST_STAGED_PACKS * kibibytes(packSizeBytes);
  }

  /** A pack was staged. */
  add(sizeBytes: number): void {
    Atomics.add(this.#cells, STAGED_KIBIBYTES, kibibytes(sizeBytes));
  }

  /** It is in the store, or given up. */
  remove(sizeBytes: number): void {
    Atomics.sub(this.#cells, STAGED_KIBIBYTES, kibibytes(sizeBytes));
    Atomics.notify(this.#cells, STAGED_KIBIBYTES);
  }

  /** Blocks this thread until there is room for another pack. Not for the main thread, which makes the room. */
  wait(): void {
    for (;;) {
      const staged = Atomics.load(this.#cells, STAGED_KIBIBYTES);
      if (staged < this.#most || Atomics.load(this.#cells, IS_LIFTED) === 1) return;
      Atomics.wait(this.#cells, STAGED_KIBIBYTES, staged);
    }
  }

  /** Nothing will be stored any more: nobody waits. */
  lift(): void {
    Atomics.store(this.#cells, IS_LIFTED, 1);
    // Whoever was about to wait for the value that it saw finds another one.
    Atomics.add(this.#cells, STAGED_KIBIBYTES, 1);
    Atomics.notify(this.#cells, STAGED_KIBIBYTES);
  }
}

function kibibytes(bytes: number): number {
  return Math.ceil(bytes / 1024);
}
