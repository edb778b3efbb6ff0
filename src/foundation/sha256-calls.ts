import { nativeFunctionIfThere } from './native-library.ts';

/** OpenSSL's own functions for SHA-256, which Node's binary holds, and what they work on. */

export interface Sha256Calls {
  /** Adds whole blocks to one state. */
  one(state: Uint32Array, bytes: Uint8Array, blocks: number): void;
  /** Adds whole blocks to several: word by word, the states side by side; where the blocks lie; how many fours of states. */
  several(states: Uint32Array, places: Uint8Array, fours: number): void;
  /** Copies nothing, and says where `bytes` lie. */
  address(bytes: Uint8Array, same: Uint8Array, length: number): number | bigint;
}

/** Undefined where Node's binary or the processor does not offer them. */
export function sha256CallsIfThere(): Sha256Calls | undefined {
  const one = nativeFunctionIfThere<Sha256Calls['one']>('void sha256_block_data_order(void *, const void *, size_t)');
  const several = nativeFunctionIfThere<Sha256Calls['several']>('void sha256_multi_block(void *, const void *, int)');
  const address = nativeFunctionIfThere<Sha256Calls['address']>('uint64_t memcpy(void *, const void *, size_t)');
  const isKnown = KNOWN_VERSIONS.test(process.versions.openssl ?? '') && hasInstructions();
  return one === undefined || several === undefined || address === undefined || !isKnown
    ? undefined
    : { one, several, address };
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

export const BLOCK_BYTES = 64;

/** FIPS 180-4, section 5.3.3. */
export const FIRST_STATE = new Uint32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** Where memory lies, and where it goes on lying: the engine may move the smallest arrays. */
export function addressOf(calls: Sha256Calls, bytes: Uint8Array): number {
  return Number(calls.address(bytes, bytes, 0));
}

/** How many blocks a message takes together with what is put behind it. */
export function blocksOf(sizeBytes: number): number {
  return Math.ceil((sizeBytes + 9) / BLOCK_BYTES);
}

/**
 * Puts behind a message what the specification has there.
 * @param from where the message ends in `bytes`
 * @param end where its last block does
 * @param sizeBytes of the message
 */
export function putPadding(bytes: Uint8Array, from: number, end: number, sizeBytes: number): void {
  bytes.fill(0, from + 1, end - 8);
  bytes[from] = 0x80;
  putBigEndian(bytes, end - 8, Math.floor(sizeBytes / 2 ** 29));
  putBigEndian(bytes, end - 4, (sizeBytes * 8) >>> 0);
}

/** The hash that a state is. */
export function digestOf(state: Uint32Array): Buffer {
  const digest = Buffer.allocUnsafe(4 * FIRST_STATE.length);
  for (let word = 0; word < FIRST_STATE.length; word++) putBigEndian(digest, word * 4, state[word]!);
  return digest;
}

function putBigEndian(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

/** `several` takes four states at least, of which two are used, and has room for eight. */
const STATES = 8;
/** Where blocks lie, and how many: eight bytes, four, and four that say nothing. */
const PLACE_BYTES = 16;

/** Two states, to which blocks are added at once. */
export class PairOfStates {
  readonly #calls: Sha256Calls;
  readonly #states = new Uint32Array(STATES * FIRST_STATE.length);
  readonly #places = new Uint8Array(STATES * PLACE_BYTES);
  readonly #words = new Uint32Array(this.#places.buffer);

  constructor(calls: Sha256Calls) {
    this.#calls = calls;
  }

  /** @param column which of the two */
  set(column: number, state: Uint32Array): void {
    for (let word = 0; word < FIRST_STATE.length; word++) this.#states[word * STATES + column] = state[word]!;
  }

  get(column: number, state: Uint32Array): void {
    for (let word = 0; word < FIRST_STATE.length; word++) state[word] = this.#states[word * STATES + column]!;
  }

  /** What is added next. @param blocks 0 for none: the other state is alone then */
  place(column: number, address: number, blocks: number): void {
    const at = (column * PLACE_BYTES) / 4;
    this.#words[at] = address >>> 0;
    this.#words[at + 1] = Math.floor(address / 2 ** 32);
    this.#words[at + 2] = blocks;
  }

  addPlaced(): void {
    this.#calls.several(this.#states, this.#places, 1);
  }
}
