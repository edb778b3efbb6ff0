/** A place in a window: `bytes` is shared memory, unless it is larger than the window. */
export interface Region {
  bytes: Uint8Array;
  start: number;
}

/**
 * Shared memory that objects of a distant store are read into, ahead of whoever works on them: so much and no more is on its
 * way or waits, however large or small the objects, and none of it is left to a collector.
 */
export class ReadWindow {
  readonly #memory: SharedArrayBuffer;
  /** By where they begin. */
  readonly #taken: Region[] = [];
  readonly #waiting: { length: number; resolve: (region: Region) => void }[] = [];

  constructor(sizeBytes: number) {
    this.#memory = new SharedArrayBuffer(sizeBytes);
  }

  /**
   * A place for so many bytes, once there is one; who came first gets theirs first. What is larger than all of the window
   * gets memory of its own, when nobody else has any.
   */
  async take(length: number): Promise<Region> {
    const region = this.#waiting.length === 0 ? this.#find(length) : undefined;
    if (region !== undefined) return region;
    return new Promise((resolve) => this.#waiting.push({ length, resolve }));
  }

  /** Gives a place back: nobody may read it any more. */
  give(region: Region): void {
    this.#taken.splice(this.#taken.indexOf(region), 1);
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const found = this.#find(next.length);
      if (found === undefined) return;
      this.#waiting.shift();
      next.resolve(found);
    }
  }

  #find(length: number): Region | undefined {
    if (length > this.#memory.byteLength) {
      if (this.#taken.length > 0) return undefined;
      return this.#insert(0, { bytes: Buffer.allocUnsafeSlow(length), start: 0 });
    }
    let start = 0;
    for (const [at, { start: nextStart, bytes }] of this.#taken.entries()) {
      if (nextStart - start >= length) return this.#insert(at, this.#regionAt(start, length));
      start = nextStart + bytes.length;
    }
    if (start + length > this.#memory.byteLength) return undefined;
    return this.#insert(this.#taken.length, this.#regionAt(start, length));
  }

  #regionAt(start: number, length: number): Region {
    return { bytes: new Uint8Array(this.#memory, start, length), start };
  }

  #insert(at: number, region: Region): Region {
    this.#taken.splice(at, 0, region);
    return region;
  }
}
