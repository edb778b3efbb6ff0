import { HoldfastError } from '../../../foundation/errors.ts';
import { Connection } from '../connection/connection.ts';
import { nonsense, refusal, type Side } from '../connection/failures.ts';
import { type Location, labelOf } from '../connection/location.ts';
import type { RawStream } from '../connection/raw-stream.ts';
import { encodeCommand, ReplyError } from '../connection/resp.ts';

/** A place in a server's replication stream. */
export interface StreamPosition {
  /** 40 hexadecimal digits: which history of the data it is. */
  replicationId: string;
  /** Bytes of the stream up to here. */
  offset: bigint;
}

export type Synchronized =
  /** An RDB comes first, of what was there at the position; then the stream from there on. */
  | { kind: 'full'; position: StreamPosition; rdb: AsyncGenerator<Buffer, void> }
  /** The stream goes on behind the position that was asked for. The id may have changed with a failover. */
  | { kind: 'continued'; position: StreamPosition };

export interface ReplicaOptions {
  signal: AbortSignal;
  /** What comes after the RDB: the stream, or nothing, which spares the server the keeping of it. */
  purpose: 'stream' | 'rdb-only';
  /** Where the server is in a backup or a restore; the source by default. */
  side?: Side;
  /** How long the server may be silent; it says something every ten seconds by default. */
  silenceMs?: number;
}

/** As long as a server that saves may be silent: it may be slow to fork. */
const SILENCE_MS = 60_000;
const EOF_MARK_BYTES = 40;
const ANSWER_IS_DUE = /^-ERR .*pending output/i;

/**
 * A connection on which we are a replica of the server.
 * Source: "Redis replication", redis.io/docs/latest/operate/oss_and_stack/management/replication, and what servers send.
 */
export class ReplicaLink {
  readonly location: Location;
  readonly #stream: RawStream;

  private constructor(location: Location, stream: RawStream) {
    this.location = location;
    this.#stream = stream;
  }

  /**
   * Logs in and introduces itself as a replica.
   * @throws source-unreachable, source-refused, source-lost, timed-out; the reason of the signal
   */
  static async open(
    location: Location,
    { signal, purpose, side = 'source', silenceMs = SILENCE_MS }: ReplicaOptions,
  ): Promise<ReplicaLink> {
    const options = { side, signal, silenceMs };
    const connection = await Connection.open({ ...location, database: 0 }, options);
    try {
      // One after the other: a server may take what comes early for a part of the stream.
      const capable = await connection.attempt('replicate', ['REPLCONF', 'capa', 'eof', 'capa', 'psync2']);
      if (capable instanceof ReplyError) throw unavailable(capable, location);
      // Servers older than 7.0 do not know it, and answer so; nothing depends on it.
      if (purpose === 'rdb-only') await connection.attempt('replicate', ['REPLCONF', 'rdb-only', '1']);
      return new ReplicaLink(location, connection.takeOver());
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /**
   * Asks for the data, or for the stream behind a position.
   * @param from what was taken last; left out, everything is sent
   * @throws source-refused where the server does not replicate to us; source-lost, source-damaged, timed-out
   */
  async synchronize(from?: StreamPosition): Promise<Synchronized> {
    const words = from === undefined ? ['?', '-1'] : [from.replicationId, String(from.offset + 1n)];
    await this.#stream.write(encodeCommand(['PSYNC', ...words]));
    const line = await this.#stream.readLine('wait for the replication to begin');
    if (line.startsWith('-')) throw unavailable(new ReplyError(line.slice(1)), this.location);
    const full = /^\+FULLRESYNC ([0-9a-f]{40}) (\d{1,20})$/i.exec(line);
    if (full !== null) {
      const position = { replicationId: full[1]!, offset: BigInt(full[2]!) };
      return { kind: 'full', position, rdb: this.#rdb() };
    }
    const continued = /^\+CONTINUE(?: ([0-9a-f]{40}))?$/i.exec(line);
    if (continued === null || from === undefined) throw nonsense(this.location, 'what belongs to no replication');
    return {
      kind: 'continued',
      position: { replicationId: continued[1] ?? from.replicationId, offset: from.offset },
    };
  }

  /**
   * Sees whether the data would be sent, which costs the server a fork, without having it sent: a server refuses to begin
   * while another answer is due, and before that whoever may not ask.
   * @throws source-refused, source-lost, timed-out
   */
  async tryOut(): Promise<void> {
    await this.#stream.write(Buffer.concat([['PING'], ['PSYNC', '?', '-1']].map((words) => encodeCommand(words))));
    await this.#stream.readLine('wait for an answer');
    const line = await this.#stream.readLine('wait for an answer');
    if (line.startsWith('-') && !ANSWER_IS_DUE.test(line))
      throw unavailable(new ReplyError(line.slice(1)), this.location);
  }

  /** The stream's next bytes, at least one, which are the caller's. @throws timed-out, source-lost; the reason of the signal */
  read(): Promise<Buffer> {
    return this.#stream.read('follow the stream');
  }

  /**
   * Tells the server how far the stream was taken. It sends none before it was told so once, and drops who is silent for a
   * minute: once a second is usual.
   */
  async acknowledge(offset: bigint): Promise<void> {
    await this.#stream.write(encodeCommand(['REPLCONF', 'ACK', offset]));
  }

  close(): void {
    this.#stream.close();
  }

  /** The RDB as the server sends it, in parts that are given away: of a known length, or until a mark of its choice. */
  async *#rdb(): AsyncGenerator<Buffer, void> {
    const line = await this.#stream.readLine('wait for the data');
    if (line.startsWith('-')) throw refusal(new ReplyError(line.slice(1)), this.location, 'source', 'save the data');
    const mark = /^\$EOF:([0-9a-zA-Z]{40})$/.exec(line)?.[1];
    const length = /^\$(\d{1,15})$/.exec(line)?.[1];
    if (mark !== undefined) yield* this.#untilMark(Buffer.from(mark, 'latin1'));
    else if (length !== undefined) yield* this.#ofLength(Number(length));
    else throw nonsense(this.location, 'no data where it should begin');
  }

  async *#ofLength(length: number): AsyncGenerator<Buffer, void> {
    for (let left = length; left > 0; ) {
      const chunk = await this.#stream.readGathered('read the data');
      const part = chunk.subarray(0, left);
      // Who is given the one must not take the other along.
      this.#stream.unread(Buffer.from(chunk.subarray(left)));
      left -= part.length;
      yield part;
    }
  }

  /** Nothing comes behind the mark before it was acknowledged: it is always the end of what is there. */
  async *#untilMark(mark: Buffer): AsyncGenerator<Buffer, void> {
    // What came last may end with a part of the mark.
    let last: Buffer = Buffer.alloc(0);
    while (!last.subarray(-EOF_MARK_BYTES).equals(mark)) {
      const chunk = await this.#stream.readGathered('read the data');
      let settled = last;
      if (chunk.length >= EOF_MARK_BYTES) last = chunk;
      else {
        const together = Buffer.concat([last, chunk]);
        settled = together.subarray(0, -EOF_MARK_BYTES);
        // Who is given the one must not take the other along.
        last = Buffer.from(together.subarray(-EOF_MARK_BYTES));
      }
      if (settled.length > 0) yield settled;
    }
    if (last.length > EOF_MARK_BYTES) yield last.subarray(0, -EOF_MARK_BYTES);
  }
}

function unavailable(error: ReplyError, location: Location): HoldfastError {
  if (['NOAUTH', 'LOADING', 'NOMASTERLINK', 'MASTERDOWN'].includes(error.kind)) {
    return refusal(error, location, 'source', 'replicate');
  }
  return new HoldfastError(
    'source-refused',
    `the server at ${labelOf(location)} does not replicate to us: ${error.message}`,
    {
      hint: 'Give the user +psync and +replconf; where the service blocks replication altogether, set `method: scan` in the plan, which reads key by key and not at one moment.',
      context: { server: labelOf(location), reason: error.message },
    },
  );
}
