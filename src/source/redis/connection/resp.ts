/**
 * The protocol that clients and servers speak, versions 2 and 3.
 * Source: "Redis serialization protocol specification", redis.io/docs/latest/develop/reference/protocol-spec.
 */

/** What a server answers: a bulk string is a Buffer, a simple one a string. Maps and sets of version 3 are flat lists, as version 2 has them. */
export type Reply = string | number | bigint | boolean | null | Buffer | ReplyError | Reply[];

/** An error as an answer. */
export class ReplyError {
  readonly message: string;

  constructor(message: string) {
    // What a server says of a command that it does not know: its arguments may be a password, or somebody's data.
    this.message = message.replace(/,? with args beginning with:.*$/s, '');
  }

  /** Its first word: `WRONGPASS`, `NOPERM`, `ERR`. */
  get kind(): string {
    return /^[A-Z]+/.exec(this.message)?.[0] ?? '';
  }
}

/** A part of a command; binary-safe. */
export type Word = string | number | bigint | Uint8Array;

/** A command as a list of bulk strings. */
export function encodeCommand(words: readonly Word[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = word instanceof Uint8Array ? word : Buffer.from(String(word), 'utf8');
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF);
  }
  return Buffer.concat(parts);
}

const CRLF = Buffer.from('\r\n');

/** The bytes are no reply of this protocol. */
export class ProtocolError extends Error {}

/** Lists in lists: no server's answer comes near it. */
const DEEPEST = 32;
const LONGEST_LINE_BYTES = 64 * 1024;
const FIRST_WINDOW_BYTES = 64 * 1024;

/** There is not enough yet. One object: it is thrown at the end of every chunk. */
const MORE = Symbol('more');

/**
 * Takes bytes as they come, gives replies as they are complete. What is kept is what has come of the reply under way, and
 * nothing is made room for that only was announced.
 */
export class ReplyParser {
  readonly #limitBytes: number;
  #window: Buffer = Buffer.allocUnsafe(FIRST_WINDOW_BYTES);
  #start = 0;
  #end = 0;
  #at = 0;
  /** As many bytes must be there before it is worth another look. */
  #wanted = 0;

  /** @param limitBytes no reply is longer */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that belong to no complete reply. */
  get rest(): Buffer {
    return Buffer.from(this.#window.subarray(this.#start, this.#end));
  }

  /** @throws ProtocolError */
  feed(chunk: Uint8Array): void {
    const kept = this.#end - this.#start;
    if (kept + chunk.length > this.#limitBytes) throw new ProtocolError('a reply that is too long');
    if (this.#end + chunk.length > this.#window.length) {
      const roomy =
        kept + chunk.length <= this.#window.length
          ? this.#window
          : Buffer.allocUnsafe(Math.max(2 * this.#window.length, kept + chunk.length));
      this.#window.copy(roomy, 0, this.#start, this.#end);
      this.#window = roomy;
      this.#start = 0;
      this.#end = kept;
    }
    this.#window.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next reply; undefined when it is not complete yet. Buffers in it are the caller's. @throws ProtocolError */
  next(): Reply | undefined {
    if (this.#end - this.#start < this.#wanted) return undefined;
    this.#wanted = 0;
    this.#at = this.#start;
    try {
      const reply = this.#reply(0);
      this.#start = this.#at;
      if (this.#start === this.#end) this.#rewind();
      return reply;
    } catch (error) {
      if (error !== MORE) throw error;
      return undefined;
    }
  }

  #rewind(): void {
    this.#start = 0;
    this.#end = 0;
    if (this.#window.length > 16 * FIRST_WINDOW_BYTES) this.#window = Buffer.allocUnsafe(FIRST_WINDOW_BYTES);
  }

  #reply(depth: number): Reply {
    if (depth > DEEPEST) throw new ProtocolError('lists in lists without end');
    const line = this.#line();
    const text = line.slice(1);
    switch (line[0]) {
      case '+':
        return text;
      case '-':
        return new ReplyError(text);
      case ':':
        return integer(text);
      case '(':
        return bigInteger(text);
      case '$':
        return this.#bulk(text);
      case '=':
        return this.#bulk(text)?.subarray(4) ?? null;
      case '!': {
        const error = this.#bulk(text);
        return error === null ? null : new ReplyError(error.toString('utf8'));
      }
      case '_':
        return null;
      case '#':
        return text === 't';
      case ',':
        return float(text);
      case '*':
      case '~':
      case '>':
        return this.#list(text, 1, depth);
      case '%':
        return this.#list(text, 2, depth);
      case '|':
        // Attributes stand before the reply that they are about.
        this.#list(text, 2, depth);
        return this.#reply(depth + 1);
      default:
        throw new ProtocolError('bytes of another protocol');
    }
  }

  #line(): string {
    const end = this.#window.subarray(0, this.#end).indexOf(13, this.#at);
    if (end === -1 || end + 1 >= this.#end) {
      if (this.#end - this.#at > LONGEST_LINE_BYTES) throw new ProtocolError('a line without end');
      throw MORE;
    }
    if (this.#window[end + 1] !== 10) throw new ProtocolError('a line that does not end as lines do');
    const line = this.#window.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #bulk(text: string): Buffer | null {
    const length = integer(text);
    if (length === -1) return null;
    if (length < 0 || length > this.#limitBytes) throw new ProtocolError('a string of an impossible length');
    const end = this.#at + length;
    if (end + 2 > this.#end) {
      this.#wanted = end + 2 - this.#start;
      throw MORE;
    }
    const bytes = Buffer.from(this.#window.subarray(this.#at, end));
    this.#at = end + 2;
    return bytes;
  }

  #list(text: string, each: number, depth: number): Reply[] | null {
    const length = integer(text);
    if (length === -1) return null;
    if (length < 0) throw new ProtocolError('a list of an impossible length');
    const items: Reply[] = [];
    for (let index = 0; index < length * each; index++) items.push(this.#reply(depth + 1));
    return items;
  }
}

function integer(text: string): number {
  if (!/^-?\d{1,19}$/.test(text)) throw new ProtocolError('a number that is none');
  return Number(text);
}

function bigInteger(text: string): bigint {
  if (!/^-?\d{1,400}$/.test(text)) throw new ProtocolError('a number that is none');
  return BigInt(text);
}

function float(text: string): number {
  if (text === 'inf') return Infinity;
  return text === '-inf' ? -Infinity : Number(text);
}
