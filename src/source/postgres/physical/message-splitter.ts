import { damaged } from './tar-header.ts';

const HEADER_BYTES = 5;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const ERROR_RESPONSE = 0x45;
/** Of all but the data: rows of a few numbers, and notices. */
const MESSAGE_LIMIT_BYTES = 1024 * 1024;

/** What a piece of the server's output is, in the order in which it came. */
export type Piece =
  /** A part of the body of a CopyData message; a view that is valid as long as the chunk is. */
  | { kind: 'data'; isStart: boolean; isEnd: boolean; bytes: Buffer }
  /** A whole message of another type, with its header. */
  | { kind: 'message'; bytes: Buffer }
  /** The end of the copy, or an error: this, and all that comes later, is for somebody else to read. */
  | { kind: 'rest'; bytes: Buffer };

/**
 * Splits what a server sends during a COPY into messages. They may be spread over any number of chunks.
 * Source: PostgreSQL's documentation, "Frontend/Backend Protocol", Message Formats.
 */
export class MessageSplitter {
  /** The header under way, when a chunk ended within it. */
  #header = Buffer.alloc(0);
  #dataRemaining = 0;
  #message: Buffer[] = [];
  #messageRemaining = 0;

  /** @throws archive-damaged */
  *split(chunk: Buffer): Generator<Piece> {
    let bytes = chunk;
    if (this.#header.length > 0) {
      bytes = Buffer.concat([this.#header, chunk]);
      this.#header = Buffer.alloc(0);
    }
    let read = 0;
    while (read < bytes.length) {
      if (this.#dataRemaining > 0) {
        const end = Math.min(read + this.#dataRemaining, bytes.length);
        yield this.#data(bytes, read, end, false);
        read = end;
      } else if (this.#messageRemaining > 0) {
        const end = Math.min(read + this.#messageRemaining, bytes.length);
        this.#message.push(Buffer.from(bytes.subarray(read, end)));
        this.#messageRemaining -= end - read;
        read = end;
        if (this.#messageRemaining === 0) yield this.#endMessage();
      } else if (bytes.length - read < HEADER_BYTES) {
        this.#header = Buffer.from(bytes.subarray(read));
        return;
      } else {
        const type = bytes[read]!;
        const bodyBytes = bytes.readUInt32BE(read + 1) - 4;
        if (bodyBytes < 0 || (type !== COPY_DATA && bodyBytes > MESSAGE_LIMIT_BYTES)) {
          throw damaged('a message has a length that cannot be right');
        }
        if (type === COPY_DONE || type === ERROR_RESPONSE) {
          yield { kind: 'rest', bytes: bytes.subarray(read) };
          return;
        }
        if (type === COPY_DATA) {
          this.#dataRemaining = bodyBytes;
          read += HEADER_BYTES;
          const end = Math.min(read + bodyBytes, bytes.length);
          yield this.#data(bytes, read, end, true);
          read = end;
        } else this.#messageRemaining = HEADER_BYTES + bodyBytes;
      }
    }
  }

  #data(bytes: Buffer, start: number, end: number, isStart: boolean): Piece {
    this.#dataRemaining -= end - start;
    return { kind: 'data', isStart, isEnd: this.#dataRemaining === 0, bytes: bytes.subarray(start, end) };
  }

  #endMessage(): Piece {
    const bytes = Buffer.concat(this.#message);
    this.#message = [];
    return { kind: 'message', bytes };
  }
}
