import type pg from 'pg';
import type { Session } from './session.ts';
import { type PassOn, takeOver } from './take-over.ts';

const MESSAGE_HEADER_BYTES = 5;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const ERROR_RESPONSE = 0x45;

/**
 * Runs `COPY … TO STDOUT` and gives its bytes as they come.
 *
 * While rows come in, the socket is read here and not by pg, which would make an object of each row. The bytes are moved
 * together inside the chunk that the socket gave, so that nothing is allocated per row; `take` gets a view that is only
 * valid until its promise resolves. While it works the socket is paused, which is the back-pressure.
 * Source: PostgreSQL's documentation, "Frontend/Backend Protocol", COPY Operations.
 * @returns the number of rows as the server counts them
 */
export function copyOut(
  session: Session,
  doing: string,
  sql: string,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<number> {
  return session.run(doing, async () => {
    const query = new CopyOutQuery(sql, take);
    session.client.query(query);
    return query.finished;
  });
}

/** What pg calls on the query that is under way. */
class CopyOutQuery implements pg.Submittable {
  readonly #sql: string;
  readonly #take: (bytes: Uint8Array) => Promise<void>;
  readonly #outcome = Promise.withResolvers<number>();
  readonly finished = this.#outcome.promise;
  readonly #frames = new FrameReader();
  #detach: () => void = () => {};
  #rows = Number.NaN;

  constructor(sql: string, take: (bytes: Uint8Array) => Promise<void>) {
    this.#sql = sql;
    this.#take = take;
  }

  submit(connection: pg.Connection): void {
    const detach = takeOver(
      connection,
      (chunk, pass) => this.#read(chunk, pass),
      (error) => this.#outcome.reject(error),
    );
    this.#detach = () => {
      this.#detach = () => {};
      detach();
    };
    connection.query(this.#sql);
  }

  handleCommandComplete(message: { text: string }): void {
    this.#rows = Number(/^COPY (\d+)$/.exec(message.text)?.[1] ?? Number.NaN);
  }

  handleReadyForQuery(): void {
    this.#outcome.resolve(this.#rows);
  }

  /** By the server's error, or by a connection that is lost. */
  handleError(error: Error): void {
    this.#detach();
    this.#outcome.reject(error);
  }

  #read(chunk: Buffer, pass: PassOn): Promise<void> | undefined {
    const { rows, messages, rest } = this.#frames.read(chunk);
    if (rest !== undefined) this.#detach();
    const passAll = (): void => {
      for (const bytes of messages) pass(bytes);
      if (rest !== undefined) pass(rest);
    };
    if (rows.length > 0) return this.#take(rows).then(passAll);
    passAll();
    return undefined;
  }
}

interface Frames {
  /** The bytes of the rows in the chunk, moved together at its start. */
  rows: Buffer;
  /** Whole messages that are not rows, for pg. */
  messages: Buffer[];
  /** From the end of the rows on: everything for pg. */
  rest: Buffer | undefined;
}

/** Splits what the server sends into messages: a type, a length, a body. Messages may be spread over chunks. */
export class FrameReader {
  /** The header under way, when a chunk ended within it. */
  #header = Buffer.alloc(0);
  /** Bytes of a row's body still to come. */
  #rowRemaining = 0;
  /** A message that is not a row, under way. */
  #message: Buffer[] = [];
  #messageRemaining = 0;
  #endsRows = false;

  read(chunk: Buffer): Frames {
    const messages: Buffer[] = [];
    let bytes = chunk;
    let read = 0;
    let written = 0;
    if (this.#header.length > 0) {
      bytes = Buffer.concat([this.#header, chunk]);
      this.#header = Buffer.alloc(0);
    }
    while (read < bytes.length) {
      if (this.#rowRemaining > 0) {
        const end = Math.min(read + this.#rowRemaining, bytes.length);
        if (read !== written) bytes.copyWithin(written, read, end);
        written += end - read;
        this.#rowRemaining -= end - read;
        read = end;
      } else if (this.#messageRemaining > 0) {
        const end = Math.min(read + this.#messageRemaining, bytes.length);
        // A copy, because rows that follow are moved over this place.
        this.#message.push(Buffer.from(bytes.subarray(read, end)));
        this.#messageRemaining -= end - read;
        read = end;
      } else if (bytes.length - read < MESSAGE_HEADER_BYTES) {
        this.#header = Buffer.from(bytes.subarray(read));
        break;
      } else {
        this.#begin(bytes, read);
        if (this.#endsRows) return { rows: bytes.subarray(0, written), messages, rest: bytes.subarray(read) };
        // A row's header is left out; another message goes to pg with its own.
        if (this.#messageRemaining === 0) read += MESSAGE_HEADER_BYTES;
      }
      if (this.#messageRemaining === 0 && this.#message.length > 0) {
        messages.push(Buffer.concat(this.#message));
        this.#message = [];
      }
    }
    return { rows: bytes.subarray(0, written), messages, rest: undefined };
  }

  /** Takes a message's header: what follows is a row, the end of the rows, or something for pg. */
  #begin(bytes: Buffer, at: number): void {
    const type = bytes[at]!;
    const bodyBytes = bytes.readUInt32BE(at + 1) - 4;
    if (type === COPY_DATA) this.#rowRemaining = bodyBytes;
    else if (type === COPY_DONE || type === ERROR_RESPONSE) this.#endsRows = true;
    else this.#messageRemaining = MESSAGE_HEADER_BYTES + bodyBytes;
  }
}
