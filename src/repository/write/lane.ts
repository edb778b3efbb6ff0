import { readSync } from 'node:fs';
import { Chunker } from '../../format/index.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { StoredFile } from '../snapshot-io.ts';
import type { Pipeline } from './pipeline.ts';
import { SLAB_BYTES, type Slab } from './slabs.ts';

/**
 * A sequence of files on its way into the slabs: bytes are written behind each other, cut where the content or a fixed size
 * says so, and every chunk is handed to the workers where it lies. Only a chunk that runs over the end of a slab is moved.
 * Many small files share a slab.
 */
export class Lane {
  readonly #pipeline: Pipeline;
  readonly #chunker: Chunker;
  #slab: Slab | undefined;
  /** Where the next byte goes, and where the present chunk began. */
  #position = 0;
  #chunkStart = 0;
  #cutBytes: number | undefined;
  #blobs: Promise<string>[] = [];
  #fileBytes = 0;

  constructor(pipeline: Pipeline, gear: Int32Array) {
    this.#pipeline = pipeline;
    this.#chunker = new Chunker(pipeline.slabs.memory, gear);
  }

  /** Begins a file. `cut`: where the content says so, or after so many bytes, at most a slab's. */
  beginFile(cut: 'content' | number): void {
    this.#cutBytes = cut === 'content' ? undefined : Math.min(cut, SLAB_BYTES);
    this.#chunker.reset();
    this.#chunkStart = this.#position;
    this.#blobs = [];
    this.#fileBytes = 0;
  }

  /** The bytes are copied before the promise is returned. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#slab === undefined || SLAB_BYTES - this.#position < bytes.byteLength) {
      // Not slice(): a Buffer's gives a view of the same memory.
      return this.#writeCopy(new Uint8Array(bytes));
    }
    this.#slab.bytes.set(bytes, this.#position);
    return this.#wrote(this.#slab, bytes.byteLength);
  }

  async #writeCopy(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const slab = await this.#room();
      const length = Math.min(bytes.byteLength - done, SLAB_BYTES - this.#position);
      slab.bytes.set(bytes.subarray(done, done + length), this.#position);
      done += length;
      await this.#wrote(slab, length);
    }
  }

  /** Reads an open file from its position to its end, but no more than `limitBytes`, straight into the slabs. */
  async readFrom(fileDescriptor: number, limitBytes = Number.POSITIVE_INFINITY): Promise<void> {
    for (;;) {
      const slab = await this.#room();
      const most = Math.min(SLAB_BYTES - this.#position, limitBytes - this.#fileBytes);
      const length = readSync(fileDescriptor, slab.bytes, this.#position, most, null);
      if (length === 0) return;
      await this.#wrote(slab, length);
    }
  }

  /** Ends the file: `stored` resolves once all of its blobs are. */
  async endFile(): Promise<{ sizeBytes: number; stored: Promise<StoredFile> }> {
    if (this.#slab !== undefined && this.#position > this.#chunkStart) {
      await this.#submit(this.#slab, this.#position - this.#chunkStart);
    }
    const sizeBytes = this.#fileBytes;
    const [first, ...more] = this.#blobs;
    // Most files are one blob: their promise is all there is to wait for.
    const ids = first !== undefined && more.length === 0 ? first.then((id) => [id]) : Promise.all(this.#blobs);
    return { sizeBytes, stored: awaitedLater(ids.then((content) => ({ content, sizeBytes }))) };
  }

  /** Forgets the file that was begun. */
  dropFile(): void {
    this.#chunkStart = this.#position;
  }

  /** Gives the slab back. The lane may be used again. */
  rest(): void {
    this.#slab?.release();
    this.#slab = undefined;
    this.#position = 0;
    this.#chunkStart = 0;
  }

  /** The present slab if it has room, else a fresh one that the unfinished chunk was moved to. */
  async #room(): Promise<Slab> {
    if (this.#slab !== undefined && this.#position < SLAB_BYTES) return this.#slab;
    const full = this.#slab;
    const fresh = await this.#pipeline.slabs.take();
    const carriedBytes = this.#position - this.#chunkStart;
    if (full !== undefined) {
      this.#chunker.move(fresh.offset, full.offset + this.#chunkStart, carriedBytes);
      full.release();
    }
    this.#slab = fresh;
    this.#position = carriedBytes;
    this.#chunkStart = 0;
    return fresh;
  }

  async #wrote(slab: Slab, length: number): Promise<void> {
    this.#position += length;
    this.#fileBytes += length;
    for (let chunk = this.#nextCut(slab); chunk > 0; chunk = this.#nextCut(slab)) await this.#submit(slab, chunk);
  }

  #nextCut(slab: Slab): number {
    if (this.#cutBytes === undefined)
      return this.#chunker.next(slab.offset + this.#chunkStart, slab.offset + this.#position);
    return this.#position - this.#chunkStart >= this.#cutBytes ? this.#cutBytes : 0;
  }

  async #submit(slab: Slab, length: number): Promise<void> {
    const start = this.#chunkStart;
    this.#chunkStart += length;
    this.#blobs.push((await this.#pipeline.submit(slab, start, length, 'data')).id);
  }
}
