import { HoldfastError } from '../../../foundation/errors.ts';

const [STAR, DOLLAR, CR, LF, ZERO, NINE] = [0x2a, 0x24, 0x0d, 0x0a, 0x30, 0x39];
/** Longer than the number of any length. */
const LONGEST_DIGITS = 15;
/** Names of commands that matter are shorter. */
const LONGEST_NAME_BYTES = 8;

/** What the next byte belongs to. */
type State = 'command' | 'count' | 'argument' | 'length' | 'content' | 'line-end';

/**
 * Finds where a replication stream may be cut: behind each command, but for those of a transaction, which ends with its
 * EXEC. It is told of the stream's bytes as they come, and keeps nothing of them. Pure.
 * Source: "Redis serialization protocol specification", redis.io/docs/latest/develop/reference/protocol-spec; servers send
 * commands as arrays of bulk strings, and nothing else.
 */
export class StreamSplitter {
  #state: State = 'command';
  /** Arguments of the command that are still to come. */
  #arguments = 0;
  /** A number that is being read, and how many digits it has by now. */
  #number = 0;
  #digits = 0;
  /** Bytes of the argument, with its line end, that are still to come. */
  #left = 0;
  #isName = false;
  #name = '';
  #isInTransaction = false;

  /** Whether what came by now ends where the stream may be cut. */
  get isBetween(): boolean {
    return this.#state === 'command' && !this.#isInTransaction;
  }

  /**
   * Takes the next bytes.
   * @returns the places in them behind which the stream may be cut, in their order
   * @throws source-damaged when that is no such stream
   */
  push(bytes: Buffer): number[] {
    const ends: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === 'content') {
        at += this.#skip(bytes, at);
        if (this.#left > 0) break;
        this.#endArgument();
      } else {
        this.#take(bytes[at]!);
        at++;
      }
      if (this.isBetween) ends.push(at);
    }
    return ends;
  }

  #take(byte: number): void {
    switch (this.#state) {
      case 'command':
        // An empty line is what a server sends to be heard.
        if (byte === STAR) this.#beginNumber('count');
        else if (byte !== LF) throw damaged();
        return;
      case 'argument':
        if (byte !== DOLLAR) throw damaged();
        this.#beginNumber('length');
        return;
      case 'count':
      case 'length':
        this.#takeDigit(byte);
        return;
      default:
        if (byte !== LF) throw damaged();
        this.#endNumber();
    }
  }

  #beginNumber(state: 'count' | 'length'): void {
    this.#isName = state === 'length' && this.#isName;
    this.#state = state;
    this.#number = 0;
    this.#digits = 0;
  }

  #takeDigit(byte: number): void {
    if (byte >= ZERO && byte <= NINE && this.#digits < LONGEST_DIGITS) {
      this.#number = this.#number * 10 + byte - ZERO;
      this.#digits++;
    } else if (byte === CR && this.#digits > 0) {
      if (this.#state === 'count') this.#arguments = -1;
      this.#state = 'line-end';
    } else throw damaged();
  }

  /** Of the count of a command's arguments, or of an argument's length. */
  #endNumber(): void {
    if (this.#arguments === -1) {
      this.#arguments = this.#number;
      this.#isName = true;
      this.#name = '';
      this.#state = this.#arguments === 0 ? 'command' : 'argument';
    } else {
      this.#left = this.#number + 2;
      this.#state = 'content';
    }
  }

  /** @returns how many bytes of an argument were there */
  #skip(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#left, bytes.length - at);
    // Two line ends belong to it: the last two bytes.
    const content = Math.max(0, Math.min(this.#left - 2, taken));
    if (this.#isName && this.#name.length <= LONGEST_NAME_BYTES) {
      this.#name += bytes.toString('latin1', at, at + Math.min(content, LONGEST_NAME_BYTES + 1));
    }
    for (let index = content; index < taken; index++) {
      if (bytes[at + index] !== (this.#left - index === 2 ? CR : LF)) throw damaged();
    }
    this.#left -= taken;
    return taken;
  }

  #endArgument(): void {
    this.#isName = false;
    this.#arguments--;
    this.#state = this.#arguments === 0 ? 'command' : 'argument';
    if (this.#arguments > 0) return;
    const name = this.#name.toUpperCase();
    if (name === 'MULTI') this.#isInTransaction = true;
    else if (name === 'EXEC' || name === 'DISCARD') this.#isInTransaction = false;
  }
}

function damaged(): HoldfastError {
  return new HoldfastError('source-damaged', 'what the server sends is no replication stream', {
    hint: 'See whether a proxy lies between, and whether the server is one that is supported: docs/redis-stream.md.',
  });
}
