import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HoldfastError } from '../../../foundation/errors.ts';
import { lostConnection, nonsense, type Side, silent } from './failures.ts';
import type { Location } from './location.ts';

export interface RawStreamOptions {
  location: Location;
  side: Side;
  signal: AbortSignal;
  /** How long nothing may come while something is waited for. */
  silenceMs: number;
  /** What had come before. */
  rest: Buffer;
}

/** As much is read ahead. */
const WAITING_BYTES = 1024 * 1024;
const LONGEST_LINE_BYTES = 64 * 1024;
/** Servers send an RDB in pieces of 16 KiB, one in a quarter of a millisecond. */
const GATHERING_MS = 1;
/** What is longer was waiting already: at most as much as the smallest socket holds lies there then. */
const GATHERED_BYTES = 96 * 1024;

/** The bytes of a connection, as they are asked for. While nobody asks, the server has to wait. */
export class RawStream {
  readonly #socket: Socket;
  readonly #options: RawStreamOptions;
  readonly #chunks: Buffer[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  /** Nothing is read until it is over. */
  #gathering: NodeJS.Timeout | undefined;
  #isGathered = false;
  #end: { error: unknown } | undefined;
  readonly #onAbort: () => void;

  constructor(socket: Socket, options: RawStreamOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#onAbort = () => this.#finish(options.signal.reason);
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (options.rest.length > 0) this.unread(options.rest);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#finish(error));
    socket.on('close', () => this.#finish(new Error('the server ended the connection')));
    if (options.signal.aborted) this.#onAbort();
  }

  /**
   * The next bytes, at least one, which are the caller's.
   * @returns undefined where the server has ended the connection
   * @throws timed-out, source-lost; target-failed on the other side; the reason of the signal
   */
  async readUntilEnd(): Promise<Buffer | undefined> {
    try {
      return await this.read('read');
    } catch (error) {
      if (this.#end?.error instanceof HoldfastError || this.#options.signal.aborted) throw error;
      return undefined;
    }
  }

  /**
   * The next bytes, at least one, which are the caller's.
   * @param doing completes "while", should the server be lost
   * @throws timed-out, source-lost; target-failed on the other side; the reason of the signal
   */
  read(doing: string): Promise<Buffer> {
    this.#isGathered = false;
    return this.#next(doing);
  }

  /**
   * As `read`, for those who want much at once rather than soon: what comes is left in the socket for a moment. To be woken for
   * each piece takes a third of this thread, and some of the server's.
   */
  readGathered(doing: string): Promise<Buffer> {
    // What is encrypted comes a record at a time, however much there is.
    this.#isGathered = !(this.#socket instanceof TLSSocket);
    return this.#next(doing);
  }

  /** Puts bytes back before those that come. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.unshift(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** A line without its end. Lines that are empty are left out: a server sends them while it is busy. @throws as `read`; source-damaged */
  async readLine(doing: string): Promise<string> {
    const parts: Buffer[] = [];
    for (let length = 0; length < LONGEST_LINE_BYTES; ) {
      const chunk = await this.read(doing);
      const end = chunk.indexOf(10);
      if (end === -1) {
        parts.push(chunk);
        length += chunk.length;
        continue;
      }
      this.unread(chunk.subarray(end + 1));
      const line = Buffer.concat([...parts, chunk.subarray(0, end)])
        .toString('latin1')
        .replace(/\r$/, '');
      if (line !== '') return line;
      parts.length = 0;
      length = 0;
    }
    throw nonsense(this.#options.location, 'a line without end');
  }

  /** Resolves when more may be written. @throws as `read` */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#end !== undefined) {
      if (this.#options.signal.aborted) throw this.#options.signal.reason;
      throw lostConnection(this.#end.error, this.#options.location, this.#options.side, 'write');
    }
    if (this.#socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#socket.off('drain', go).off('close', go);
        resolve();
      };
      this.#socket.on('drain', go).on('close', go);
    });
  }

  close(): void {
    this.#finish(new Error('the connection was closed'));
  }

  async #next(doing: string): Promise<Buffer> {
    if (this.#chunks.length === 0 && this.#end === undefined) await this.#more();
    const chunk = this.#chunks.shift();
    if (chunk === undefined) {
      if (this.#options.signal.aborted) throw this.#options.signal.reason;
      throw lostConnection(this.#end?.error, this.#options.location, this.#options.side, doing);
    }
    this.#waitingBytes -= chunk.length;
    this.#readOn();
    return chunk;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= WAITING_BYTES) this.#socket.pause();
    else if (this.#isGathered && chunk.length < GATHERED_BYTES) this.#gather();
    this.#wake?.();
  }

  #gather(): void {
    this.#socket.pause();
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#readOn();
    }, GATHERING_MS);
  }

  #readOn(): void {
    if (this.#gathering !== undefined || !this.#socket.isPaused()) return;
    if (this.#waitingBytes < WAITING_BYTES / 2) this.#socket.resume();
  }

  async #more(): Promise<void> {
    const { silenceMs, location } = this.#options;
    const timer = setTimeout(() => this.#finish(silent(location, silenceMs)), silenceMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  #finish(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    clearTimeout(this.#gathering);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#socket.destroy();
    this.#wake?.();
  }
}
