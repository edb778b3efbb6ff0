import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { HoldfastError, messageOf } from '../../../foundation/errors.ts';
import { connectFailure, lostConnection, nonsense, refusal, type Side, silent } from './failures.ts';
import { isSocket, type Location } from './location.ts';
import { RawStream } from './raw-stream.ts';
import { encodeCommand, ProtocolError, type Reply, ReplyError, ReplyParser, type Word } from './resp.ts';
import { tlsOptions } from './tls.ts';

export interface ConnectionOptions {
  side: Side;
  signal: AbortSignal;
  /** How long the server may be silent while an answer is due; half a minute by default. */
  silenceMs?: number;
}

const CONNECT_TIMEOUT_MS = 15_000;
const SILENCE_MS = 30_000;
const KEEPALIVE_DELAY_MS = 10_000;
/** As much as a server's socket holds: what comes fast is read at once, and not in pieces of 64 KiB. */
const ROOM_BYTES = 256 * 1024;
/** The longest string that a server stores, and something around it. */
const LONGEST_REPLY_BYTES = 600 * 1024 * 1024;

interface Waiting {
  doing: string;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** One connection to a server, logged in. Its errors are HoldfastErrors; the signal cuts it off. */
export class Connection {
  readonly location: Location;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #parser = new ReplyParser(LONGEST_REPLY_BYTES);
  readonly #waiting: Waiting[] = [];
  #firstWaiting = 0;
  /** Why the connection is of no use any more. */
  #broken: { error: unknown } | undefined;
  #silence: NodeJS.Timeout | undefined;
  readonly #onAbort: () => void;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  readonly #onGone = (error?: unknown): void =>
    this.#breakOff(error instanceof Error ? error : new Error('the server ended the connection'));

  private constructor(location: Location, socket: Socket, options: ConnectionOptions) {
    this.location = location;
    this.#socket = socket;
    this.#options = options;
    this.#onAbort = () => this.#breakOff(options.signal.reason);
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    socket.on('data', this.#onData).on('error', this.#onGone).on('close', this.#onGone);
  }

  /**
   * Connects, logs in and chooses the URL's database.
   * @throws source-unreachable, source-refused, timed-out; target-failed on the other side; the reason of the signal
   */
  static async open(location: Location, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(location, await openSocket(location, options), options);
    try {
      await connection.#logIn();
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async #logIn(): Promise<void> {
    const { user, password, database } = this.location;
    if (password !== undefined) {
      await this.call('log in', ['AUTH', ...(user === undefined ? [] : [user]), password]);
    }
    if (database !== 0) await this.call(`choose database ${database}`, ['SELECT', database]);
  }

  /** The address that the server sees us at; undefined on a Unix socket. */
  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  /** The server's address; undefined on a Unix socket. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /**
   * Runs one command.
   * @param doing completes "could not …" when it fails
   * @throws source-lost, source-refused, timed-out; target-failed on the other side; the reason of the signal
   */
  async call(doing: string, words: readonly Word[]): Promise<Exclude<Reply, ReplyError>> {
    const reply = await this.attempt(doing, words);
    if (reply instanceof ReplyError) throw refusal(reply, this.location, this.#options.side, doing);
    return reply;
  }

  /** As `call`; an error that the server answers with is returned. */
  attempt(doing: string, words: readonly Word[]): Promise<Reply> {
    return this.send(doing, encodeCommand(words));
  }

  /** Sends a command that was encoded already, without waiting for the answers of those before it. */
  send(doing: string, command: Uint8Array): Promise<Reply> {
    this.#options.signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) {
        reject(this.#failure(doing));
        return;
      }
      this.#waiting.push({ doing, resolve, reject });
      if (this.#silence === undefined) this.#listen();
      this.#socket.write(command);
    });
  }

  /** Resolves when the server has taken so much of what was sent that more may be. */
  async drained(): Promise<void> {
    if (this.#broken !== undefined || !this.#socket.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#socket.off('drain', go).off('close', go);
        resolve();
      };
      this.#socket.on('drain', go).on('close', go);
    });
  }

  /** Gives the connection up for the bytes on it; no answer may be due. */
  takeOver(): RawStream {
    if (this.#pending > 0) throw new HoldfastError('internal', 'a connection is taken over while an answer is due');
    clearTimeout(this.#silence);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#socket.off('data', this.#onData).off('error', this.#onGone).off('close', this.#onGone);
    const { side, signal, silenceMs = SILENCE_MS } = this.#options;
    const { rest } = this.#parser;
    return new RawStream(this.#socket, { location: this.location, side, signal, silenceMs, rest });
  }

  /** Ends the connection; answers that are due never come. */
  destroy(): void {
    this.#breakOff(new Error('the connection was closed'));
  }

  get #pending(): number {
    return this.#waiting.length - this.#firstWaiting;
  }

  #take(chunk: Buffer): void {
    this.#silence?.refresh();
    try {
      this.#parser.feed(chunk);
      for (let reply = this.#parser.next(); reply !== undefined; reply = this.#parser.next()) this.#answer(reply);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#breakOff(nonsense(this.location, error.message));
    }
  }

  #answer(reply: Reply): void {
    const waiting = this.#waiting[this.#firstWaiting];
    if (waiting === undefined) throw new ProtocolError('something that nobody asked for');
    this.#firstWaiting++;
    if (this.#firstWaiting === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#firstWaiting = 0;
      clearTimeout(this.#silence);
      this.#silence = undefined;
    }
    waiting.resolve(reply);
  }

  #listen(): void {
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    this.#silence = setTimeout(() => this.#breakOff(silent(this.location, silenceMs)), silenceMs);
  }

  #breakOff(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = { error };
    clearTimeout(this.#silence);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#socket.destroy();
    for (const { doing, reject } of this.#waiting.splice(this.#firstWaiting)) reject(this.#failure(doing));
  }

  #failure(doing: string): unknown {
    const { signal, side } = this.#options;
    return signal.aborted ? signal.reason : lostConnection(this.#broken?.error, this.location, side, doing);
  }
}

async function openSocket(location: Location, { side, signal }: ConnectionOptions): Promise<Socket> {
  const tls = location.tls && (await tlsOptions(location.tls, location.host));
  signal.throwIfAborted();
  const socket = begin(location, tls);
  const outcome = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => outcome.reject(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)),
    CONNECT_TIMEOUT_MS,
  );
  const stop = (): void => outcome.reject(signal.reason);
  const fail = (error: Error): void => outcome.reject(error);
  const gone = (): void => outcome.reject(new Error('the server ended the connection at once'));
  signal.addEventListener('abort', stop, { once: true });
  socket.once('error', fail).once('close', gone);
  socket.once(location.tls === undefined ? 'connect' : 'secureConnect', () => outcome.resolve());
  try {
    await outcome.promise;
    socket.off('error', fail).off('close', gone);
    socket.setKeepAlive(true, KEEPALIVE_DELAY_MS).setNoDelay(true);
    return socket;
  } catch (error) {
    socket.on('error', (late: unknown) => messageOf(late)).destroy();
    if (signal.aborted) throw signal.reason;
    throw connectFailure(error, location, side);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** All connections read into it, and take a copy of what came. */
const room = Buffer.allocUnsafeSlow(ROOM_BYTES);

function begin({ host, port }: Location, tls: TlsOptions | undefined): Socket {
  const onread: OnReadOpts = {
    buffer: room,
    callback: (length, bytes) => {
      socket.emit('data', Buffer.from(bytes.subarray(0, length)));
      return true;
    },
  };
  const socket = isSocket(host)
    ? connectTcp({ path: host, onread })
    : tls === undefined
      ? connectTcp({ host, port, onread })
      : connectTls({ host, port, ...tls, onread } as TlsOptions);
  return socket;
}
