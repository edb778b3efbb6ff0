import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import {
  columnsOf,
  encodePackTrailer,
  type IndexColumns,
  type PackedBlob,
  type SealingKey,
} from '../../format/index.ts';

/** A pack that is complete and waits in the staging directory for its place in the store. */
export interface FinishedPack {
  id: string;
  file: string;
  sizeBytes: number;
  /** Of its bytes, in hex, where it was asked for. */
  md5?: string;
  /** What it holds, as an index lists it. */
  listing: IndexColumns;
}

/** So much is collected before it is written: small blobs cost no system call each. */
const WRITE_AT_BYTES = 1024 * 1024;

/** Memory in which packs are filled, one after the other. It grows to what the largest blob needs. */
export class PackBuffer {
  bytes = Buffer.alloc(0);

  atLeast(sizeBytes: number): Buffer {
    if (this.bytes.length < sizeBytes) this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
    return this.bytes;
  }
}

/** A pack while it is written: through its buffer into a file, and into the running hash that becomes the pack's name. */
export class PackFile {
  readonly #file: string;
  readonly #descriptor: number;
  readonly #buffer: PackBuffer;
  readonly #hash: Hash = createHash('sha256');
  readonly #md5: Hash | undefined;
  readonly #blobs: PackedBlob[] = [];
  #sizeBytes = 0;
  /** How many bytes of the buffer are not written yet. */
  #bufferedBytes = 0;

  /** @param buffer nobody else's until this pack is finished */
  constructor(file: string, buffer: PackBuffer, { wantsMd5 }: { wantsMd5: boolean }) {
    this.#md5 = wantsMd5 ? createHash('md5') : undefined;
    this.#file = file;
    this.#buffer = buffer;
    this.#descriptor = openSync(file, 'wx', 0o600);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Where the next sealed blob goes: so many bytes, to be filled before `append`. */
  room(sizeBytes: number): Uint8Array {
    if (this.#bufferedBytes + sizeBytes > this.#buffer.bytes.length) this.#flush();
    const bytes = this.#buffer.atLeast(Math.max(sizeBytes, WRITE_AT_BYTES));
    return bytes.subarray(this.#bufferedBytes, this.#bufferedBytes + sizeBytes);
  }

  /** Takes what `room` was filled with: its first `length` bytes. */
  append(blob: Omit<PackedBlob, 'offset'>): void {
    this.#blobs.push({ ...blob, offset: this.#sizeBytes });
    this.#sizeBytes += blob.length;
    this.#bufferedBytes += blob.length;
    if (this.#bufferedBytes >= WRITE_AT_BYTES) this.#flush();
  }

  finish(key: SealingKey): FinishedPack {
    this.#flush();
    const trailer = encodePackTrailer(key, this.#blobs);
    this.#write(trailer);
    this.#sizeBytes += trailer.length;
    closeSync(this.#descriptor);
    const id = this.#hash.digest('hex');
    const listing = columnsOf({ packs: [{ id, blobs: this.#blobs }] });
    const md5 = this.#md5?.digest('hex');
    return { id, file: this.#file, sizeBytes: this.#sizeBytes, ...(md5 !== undefined && { md5 }), listing };
  }

  discard(): void {
    closeSync(this.#descriptor);
    rmSync(this.#file, { force: true });
  }

  #flush(): void {
    this.#write(this.#buffer.bytes.subarray(0, this.#bufferedBytes));
    this.#bufferedBytes = 0;
  }

  /** A short write is legal; a full disk then says so at the next one. */
  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done);
    this.#hash.update(bytes);
    this.#md5?.update(bytes);
  }
}
