import { createHash, hash } from 'node:crypto';
import { nativeFunctionIfThere } from './native-library.ts';

/**
 * SHA-256 of two messages at once. The processor's instructions for it wait for their own results, and those of another
 * message fit in between: two take little more time than one. OpenSSL has a function for it, made for the records of TLS
 * (crypto/sha/asm/sha256-mb-x86_64.pl), and Node's binary holds it. Where it does not, or where the processor has no such
 * instructions, one message is hashed after the other.
 */

/** The hash of bytes that come one after the other. */
export interface RunningSha256 {
  update(bytes: Uint8Array): void;
  /** 32 bytes; nothing may be added afterwards. */
  digest(): Buffer;
}

export function runningSha256(): RunningSha256 {
  const calls = findCalls();
  return calls === undefined ? createHash('sha256') : new NativeSha256(calls);
}

/** The hashes of two messages, 32 bytes each. */
export function hashBoth(first: Uint8Array, second: Uint8Array): [Buffer, Buffer] {
  const calls = findCalls();
  if (calls === undefined || Math.min(first.length, second.length) < LEAST_BYTES) {
    return [hash('sha256', first, 'buffer'), hash('sha256', second, 'buffer')];
  }
  const running = new NativeSha256(calls);
  return [hashAlongside(first, running, second), running.digest()];
}

/** The hash of `message`, while `more` is added to `running`. */
export function hashAlongside(message: Uint8Array, running: RunningSha256, more: Uint8Array): Buffer {
  if (running instanceof NativeSha256 && Math.min(message.length, more.length) >= LEAST_BYTES) {
    return running.updateAlongside(more, message);
  }
  running.update(more);
  return hash('sha256', message, 'buffer');
}

const BLOCK_BYTES = 64;
/** What of a room behind a message `hashInRoom` writes to, at most. */
export const PADDING_BYTES = BLOCK_BYTES + 8;

/**
 * The hash of what lies at the beginning of a room, at the cost of one call: what the specification puts behind a message is
 * put into the room, over what was there.
 * @param length bytes, and `PADDING_BYTES` less than the room has at most
 */
export function hashInRoom(room: Uint8Array, length: number): Buffer {
  const calls = findCalls();
  if (calls === undefined) return hash('sha256', room.subarray(0, length), 'buffer');
  const end = Math.ceil((length + 9) / BLOCK_BYTES) * BLOCK_BYTES;
  room.fill(0, length + 1, end - 8);
  room[length] = 0x80;
  putSize(room, end, length);
  roomState.set(FIRST_STATE);
  calls.one(roomState, room, end / BLOCK_BYTES);
  return digestOf(roomState);
}

/** Shorter ones are not worth the calls. Also, the engine may move the smallest arrays while their addresses are held. */
const LEAST_BYTES = 4096;

/** FIPS 180-4, section 5.3.3. */
const FIRST_STATE = new Uint32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

interface Calls {
  /** Adds whole blocks to one state. */
  one(state: Uint32Array, bytes: Uint8Array, blocks: number): void;
  /** Adds whole blocks to several: word by word, the states side by side; where the blocks lie; how many fours of states. */
  several(states: Uint32Array, places: Uint8Array, fours: number): void;
  /** Copies nothing, and says where `bytes` lie. */
  address(bytes: Uint8Array, same: Uint8Array, length: number): number | bigint;
}

const roomState = Uint32Array.from(FIRST_STATE);

/** In the last eight bytes before `end`: the size in bits, big-endian. */
function putSize(bytes: Uint8Array, end: number, sizeBytes: number): void {
  putBigEndian(bytes, end - 8, Math.floor(sizeBytes / 2 ** 29));
  putBigEndian(bytes, end - 4, (sizeBytes * 8) >>> 0);
}

function putBigEndian(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

function digestOf(state: Uint32Array): Buffer {
  const digest = Buffer.allocUnsafe(4 * FIRST_STATE.length);
  for (let word = 0; word < FIRST_STATE.length; word++) putBigEndian(digest, word * 4, state[word]!);
  return digest;
}

/** What `several` is given, for two: it has room for eight states, and takes four at least. */
const states = new Uint32Array(8 * FIRST_STATE.length);
const places = new DataView(new ArrayBuffer(4 * 16));
const placesBytes = new Uint8Array(places.buffer);

/** Of a thread; nothing is left in what it shares. */
class NativeSha256 implements RunningSha256 {
  readonly #calls: Calls;
  readonly #state = Uint32Array.from(FIRST_STATE);
  /** What does not fill a block yet, and room for the end of the message. */
  readonly #rest = new Uint8Array(2 * BLOCK_BYTES);
  #restBytes = 0;
  #sizeBytes = 0;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  update(bytes: Uint8Array): void {
    const begin = this.#fillRest(bytes);
    this.#addBlocks(bytes.subarray(begin));
  }

  /** Adds `bytes`. @returns the hash of `message` */
  updateAlongside(bytes: Uint8Array, message: Uint8Array): Buffer {
    const whole = bytes.subarray(this.#fillRest(bytes));
    const other = new NativeSha256(this.#calls);
    const blocks = Math.floor(Math.min(whole.length, message.length) / BLOCK_BYTES);
    this.#addBoth(whole, other, message, blocks);
    this.#addBlocks(whole.subarray(blocks * BLOCK_BYTES));
    other.#sizeBytes = message.length;
    other.#addBlocks(message.subarray(blocks * BLOCK_BYTES));
    return other.digest();
  }

  digest(): Buffer {
    const rest = this.#rest;
    const blocks = this.#restBytes + 9 > BLOCK_BYTES ? 2 : 1;
    rest.fill(0, this.#restBytes);
    rest[this.#restBytes] = 0x80;
    putSize(rest, blocks * BLOCK_BYTES, this.#sizeBytes);
    this.#calls.one(this.#state, rest, blocks);
    return digestOf(this.#state);
  }

  /** Fills the block that was begun. @returns how many bytes that took */
  #fillRest(bytes: Uint8Array): number {
    this.#sizeBytes += bytes.length;
    if (this.#restBytes === 0) return 0;
    const taken = Math.min(BLOCK_BYTES - this.#restBytes, bytes.length);
    this.#rest.set(bytes.subarray(0, taken), this.#restBytes);
    this.#restBytes += taken;
    if (this.#restBytes < BLOCK_BYTES) return taken;
    this.#calls.one(this.#state, this.#rest, 1);
    this.#restBytes = 0;
    return taken;
  }

  /** No block is begun, or there are no bytes. */
  #addBlocks(bytes: Uint8Array): void {
    const blocks = Math.floor(bytes.length / BLOCK_BYTES);
    if (blocks > 0) this.#calls.one(this.#state, bytes, blocks);
    const rest = bytes.subarray(blocks * BLOCK_BYTES);
    if (rest.length === 0) return;
    this.#rest.set(rest);
    this.#restBytes = rest.length;
  }

  #addBoth(own: Uint8Array, other: NativeSha256, theirs: Uint8Array, blocks: number): void {
    for (let word = 0; word < FIRST_STATE.length; word++) {
      states[word * 8] = this.#state[word]!;
      states[word * 8 + 1] = other.#state[word]!;
    }
    for (const [place, bytes] of [own, theirs].entries()) {
      places.setBigUint64(place * 16, BigInt(this.#calls.address(bytes, bytes, 0)), true);
      places.setInt32(place * 16 + 8, blocks, true);
    }
    this.#calls.several(states, placesBytes, 1);
    for (let word = 0; word < FIRST_STATE.length; word++) {
      this.#state[word] = states[word * 8]!;
      other.#state[word] = states[word * 8 + 1]!;
    }
  }
}

let found: { calls: Calls | undefined } | undefined;

/** Undefined where Node's binary or the processor does not offer it. */
function findCalls(): Calls | undefined {
  found ??= { calls: loadCalls() };
  return found.calls;
}

function loadCalls(): Calls | undefined {
  const one = nativeFunctionIfThere<Calls['one']>('void sha256_block_data_order(void *, const void *, size_t)');
  const several = nativeFunctionIfThere<Calls['several']>('void sha256_multi_block(void *, const void *, int)');
  const address = nativeFunctionIfThere<Calls['address']>('uint64_t memcpy(void *, const void *, size_t)');
  const isKnown = KNOWN_VERSIONS.test(process.versions.openssl ?? '') && hasInstructions();
  if (one === undefined || several === undefined || address === undefined || !isKnown) return undefined;
  const calls = { one, several, address };
  return isRight(calls) ? calls : undefined;
}

/** These functions are no part of its interface: another version's may take other arguments. */
const KNOWN_VERSIONS = /^3\./;

/** OPENSSL_INFO_CPU_SETTINGS. */
const CPU_SETTINGS = 1008;
/** CPUID, leaf 7, register EBX. */
const SHA_BIT = 1n << 29n;

function hasInstructions(): boolean {
  const info = nativeFunctionIfThere<(type: number) => string | null>('const char *OPENSSL_info(int)');
  const words = /^OPENSSL_ia32cap=0x[0-9a-f]+:(0x[0-9a-f]+)/.exec(info?.(CPU_SETTINGS) ?? '');
  return words !== null && (BigInt(words[1]!) & SHA_BIT) !== 0n;
}

/** What they say is believed where they say what `hash` does. */
function isRight(calls: Calls): boolean {
  const [first, second] = [sample(LEAST_BYTES + 1, 3), sample(LEAST_BYTES + 100, 5)];
  const running = new NativeSha256(calls);
  const digest = running.updateAlongside(second, first);
  return digest.equals(hash('sha256', first, 'buffer')) && running.digest().equals(hash('sha256', second, 'buffer'));
}

function sample(length: number, factor: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * factor);
}
