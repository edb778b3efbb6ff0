import type { FileWriter } from './file-writer.ts';

/** Of what fits into it, larger writes are no quicker. */
const GATHERED_BYTES = 1 << 20;
/** Fewer than any system takes at once ("IOV_MAX"). */
const MAX_PIECES = 512;

/**
 * Puts together what one thread writes next to each other in a file: a few large writes take the system half the time of many
 * small ones.
 */
export class GatheredWrites {
  readonly #writer: Pick<FileWriter, 'write' | 'finish'>;
  readonly #missing: Int32Array;
  readonly #room = Buffer.allocUnsafeSlow(GATHERED_BYTES);
  #usedBytes = 0;
  /** They follow each other in the file, and end at this position. */
  readonly #pieces: Buffer[] = [];
  #file = 0;
  #end = 0;
  #sizeBytes = 0;

  /** @param missing how many places of each file are still to be written: who writes the last one finishes the file */
  constructor(writer: Pick<FileWriter, 'write' | 'finish'>, missing: Int32Array) {
    this.#writer = writer;
    this.#missing = missing;
  }

  /**
   * Memory for pieces that are added next, which stays as it is for as long as they are not written.
   * @returns undefined for what is too large: all that was added before is written then, so that one memory may serve for
   *   everything large
   */
  reserve(lengths: readonly number[]): (Buffer | undefined)[] {
    const sizeBytes = lengths.reduce((sum, length) => sum + length, 0);
    if (this.#usedBytes + sizeBytes > GATHERED_BYTES) this.flush();
    if (this.#pieces.length === 0) this.#usedBytes = 0;
    return lengths.map((length) => {
      if (this.#usedBytes + length > GATHERED_BYTES) return undefined;
      this.#usedBytes += length;
      return this.#room.subarray(this.#usedBytes - length, this.#usedBytes);
    });
  }

  /** The bytes are written at the next `flush` at the latest, and must stay as they are until then. */
  add(file: number, position: number, bytes: Buffer): void {
    const goesOn = file === this.#file && position === this.#end && this.#sizeBytes + bytes.length <= GATHERED_BYTES;
    if (!goesOn || this.#pieces.length === MAX_PIECES) this.flush();
    this.#pieces.push(bytes);
    this.#file = file;
    this.#end = position + bytes.length;
    this.#sizeBytes += bytes.length;
  }

  /** Zeros, which need not be written to a new file: nothing is waited for. */
  addZeros(file: number, position: number, bytes: Buffer): void {
    this.#writer.write(file, position, [bytes], true);
    this.#count(file, 1);
  }

  flush(): void {
    const pieces = this.#pieces.splice(0);
    if (pieces.length === 0) return;
    const position = this.#end - this.#sizeBytes;
    this.#sizeBytes = 0;
    this.#writer.write(this.#file, position, pieces, false);
    this.#count(this.#file, pieces.length);
  }

  #count(file: number, places: number): void {
    if (Atomics.sub(this.#missing, file, places) === places) this.#writer.finish(file);
  }
}
