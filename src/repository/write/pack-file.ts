import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, rmSync, writevSync } from 'node:fs';
import { encodePackTrailer, type PackedBlob, type SealingKey } from '../../format/index.ts';

/** A pack that is complete and waits in the staging directory for its place in the store. */
export interface FinishedPack {
  id: string;
  file: string;
  sizeBytes: number;
  blobs: PackedBlob[];
}

/** A pack while it is written: blobs go straight to a file, and into the running hash that becomes the pack's name. */
export class PackFile {
  readonly #file: string;
  readonly #descriptor: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #blobs: PackedBlob[] = [];
  #sizeBytes = 0;

  constructor(file: string) {
    this.#file = file;
    this.#descriptor = openSync(file, 'wx', 0o600);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  append(blob: Omit<PackedBlob, 'offset' | 'length'>, sealedParts: Buffer[]): void {
    const offset = this.#sizeBytes;
    this.#write(sealedParts);
    this.#blobs.push({ ...blob, offset, length: this.#sizeBytes - offset });
  }

  finish(key: SealingKey): FinishedPack {
    this.#write([encodePackTrailer(key, this.#blobs)]);
    closeSync(this.#descriptor);
    return { id: this.#hash.digest('hex'), file: this.#file, sizeBytes: this.#sizeBytes, blobs: this.#blobs };
  }

  discard(): void {
    closeSync(this.#descriptor);
    rmSync(this.#file, { force: true });
  }

  #write(parts: Buffer[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const written = writevSync(this.#descriptor, parts);
    if (written < length) this.#writeRest(Buffer.concat(parts).subarray(written));
    for (const part of parts) this.#hash.update(part);
    this.#sizeBytes += length;
  }

  /** A short write is legal; a full disk then says so at the next one. */
  #writeRest(rest: Buffer): void {
    for (let done = 0; done < rest.length; ) done += writevSync(this.#descriptor, [rest.subarray(done)]);
  }
}
