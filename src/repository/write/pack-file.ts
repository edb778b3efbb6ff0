import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import {
  columnsOf,
  encodePackTrailer,
  type IndexColumns,
  type PackedBlob,
  type SealingKey,
} from '../../format/index.ts';
import { hashAlongside, runningSha256 } from '../../foundation/sha256.ts';

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

/** Of smaller blobs many are appended before any are hashed: each call has its price. */
const ALONGSIDE_FROM_BYTES = 64 * 1024;

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
  readonly #hash = runningSha256();
  readonly #md5: Hash | undefined;
  readonly #blobs: PackedBlob[] = [];
  #sizeBytes = 0;
  /** How many bytes of the buffer are not written yet, and how many of these the hash has. */
  #bufferedBytes = 0;
  #hashedBytes = 0;

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
    const isFull = this.#bufferedBytes + sizeBytes > this.#buffer.bytes.length;
    if (isFull || this.#bufferedBytes >= WRITE_AT_BYTES) this.#flush();
    const bytes = this.#buffer.atLeast(Math.max(sizeBytes, WRITE_AT_BYTES));
    return bytes.subarray(this.#bufferedBytes, this.#bufferedBytes + sizeBytes);
  }

  /** Takes what `room` was filled with: its first `length` bytes. */
  append(blob: Omit<PackedBlob, 'offset'>): void {
    this.#blobs.push({ ...blob, offset: this.#sizeBytes });
    this.#sizeBytes += blob.length;
    this.#bufferedBytes += blob.length;
  }

  /** The hash of a blob, while what was appended is hashed along with it: two take hardly longer than one. */
  hashAlongside(plain: Uint8Array): Buffer {
    if (plain.length < ALONGSIDE_FROM_BYTES) return hash('sha256', plain, 'buffer');
    const appended = this.#unhashed();
    this.#hashedBytes = this.#bufferedBytes;
    return hashAlongside(plain, this.#hash, appended);
  }

  finish(key: SealingKey): FinishedPack {
    this.#flush();
    const trailer = encodePackTrailer(key, this.#blobs);
    this.#write(trailer);
    this.#hash.update(trailer);
    this.#sizeBytes += trailer.length;
    closeSync(this.#descriptor);
    const id = this.#hash.digest().toString('hex');
    const listing = columnsOf({ packs: [{ id, blobs: this.#blobs }] });
    const md5 = this.#md5?.digest('hex');
    return { id, file: this.#file, sizeBytes: this.#sizeBytes, ...(md5 !== undefined && { md5 }), listing };
  }

  discard(): void {
    closeSync(this.#descriptor);
    rmSync(this.#file, { force: true });
  }

  #unhashed(): Uint8Array {
    return this.#buffer.bytes.subarray(this.#hashedBytes, this.#bufferedBytes);
  }

  #flush(): void {
    this.#hash.update(this.#unhashed());
    this.#write(this.#buffer.bytes.subarray(0, this.#bufferedBytes));
    this.#bufferedBytes = 0;
    this.#hashedBytes = 0;
  }

  /** A short write is legal; a full disk then says so at the next one. */
  #write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done);
    this.#md5?.update(bytes);
  }
}
