import { BLOCK_BYTES, damaged, readTarHeader, type TarEntry } from './tar-header.ts';

/** Takes an archive's entries, one after the other. */
export interface TarHandler {
  begin(entry: TarEntry): Promise<void>;
  /** A part of the content of the file that was begun last; the bytes are valid until the promise resolves. */
  content(bytes: Buffer): Promise<void>;
  /** Called for files only. */
  end(): Promise<void>;
}

/** Reads a tar archive that comes in pieces of any size. Nothing of an entry is kept but a header under way. */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #header = Buffer.alloc(BLOCK_BYTES);
  #headerBytes = 0;
  #contentRemaining = 0;
  #paddingRemaining = 0;
  #isInFile = false;
  #isEnded = false;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** @throws archive-damaged, and what the handler throws */
  async take(bytes: Buffer): Promise<void> {
    for (let read = 0; read < bytes.length; ) {
      if (this.#contentRemaining > 0) {
        const end = Math.min(read + this.#contentRemaining, bytes.length);
        await this.#handler.content(bytes.subarray(read, end));
        this.#contentRemaining -= end - read;
        read = end;
        if (this.#contentRemaining === 0) await this.#endFile();
      } else if (this.#paddingRemaining > 0) {
        const end = Math.min(read + this.#paddingRemaining, bytes.length);
        this.#paddingRemaining -= end - read;
        read = end;
      } else {
        const end = Math.min(read + BLOCK_BYTES - this.#headerBytes, bytes.length);
        bytes.copy(this.#header, this.#headerBytes, read, end);
        this.#headerBytes += end - read;
        read = end;
        if (this.#headerBytes === BLOCK_BYTES) await this.#begin();
      }
    }
  }

  /** The archive has been sent. @throws archive-damaged when it ends within an entry */
  finish(): void {
    // Some versions end an archive with blocks of zeros, and some do not.
    if (this.#isInFile || this.#headerBytes > 0 || this.#paddingRemaining > 0) throw damaged('it ends within an entry');
  }

  async #begin(): Promise<void> {
    this.#headerBytes = 0;
    const entry = readTarHeader(this.#header);
    if (entry === undefined) {
      this.#isEnded = true;
      return;
    }
    if (this.#isEnded) throw damaged('it goes on behind its end', entry.path);
    await this.#handler.begin(entry);
    if (entry.type !== 'file') return;
    this.#isInFile = true;
    this.#contentRemaining = entry.sizeBytes;
    this.#paddingRemaining = (BLOCK_BYTES - (entry.sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    if (entry.sizeBytes === 0) await this.#endFile();
  }

  async #endFile(): Promise<void> {
    this.#isInFile = false;
    await this.#handler.end();
  }
}
