import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';

/** More than a socket takes at once, so that each is awaited; few system calls for a pack. */
const CHUNK_BYTES = 256 * 1024;

/**
 * A file as the body of a request, read through two buffers in turn. Whoever consumes it must be done with a chunk before it
 * asks for the next but one, as `pipe` is: packs come by the hundred, and memory for each chunk would keep the collector
 * busier than the line. A consumer that is not sends bytes that the body's MD5 does not match.
 */
export class FileBody extends Readable {
  readonly #path: string;
  readonly #sizeBytes: number;
  readonly #buffers: Buffer[] = [];
  #file: FileHandle | undefined;
  #readBytes = 0;
  #chunks = 0;

  /** @param sizeBytes another size is an error */
  constructor(path: string, sizeBytes: number) {
    // One chunk ahead, and no more.
    super({ highWaterMark: 1 });
    this.#path = path;
    this.#sizeBytes = sizeBytes;
  }

  override _construct(done: (error?: Error | null) => void): void {
    open(this.#path).then((file) => {
      this.#file = file;
      done();
    }, done);
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk),
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const closed = this.#file?.close() ?? Promise.resolve();
    closed.then(() => done(error), done);
  }

  async #next(): Promise<Buffer | null> {
    const number = this.#chunks++ % 2;
    this.#buffers[number] ??= Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, this.#sizeBytes)));
    const buffer = this.#buffers[number];
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#file!.read(buffer, filled, buffer.length - filled, null);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.#readBytes += filled;
    if (filled > 0) return buffer.subarray(0, filled);
    if (this.#readBytes === this.#sizeBytes) return null;
    throw new Error(`${this.#path} has ${this.#readBytes} bytes instead of ${this.#sizeBytes}`);
  }
}
