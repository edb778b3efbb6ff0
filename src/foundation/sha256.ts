import { createHash, hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  addressOf,
  BLOCK_BYTES,
  blocksOf,
  digestOf,
  FIRST_STATE,
  PairOfStates,
  putPadding,
  type Sha256Calls,
  sha256CallsIfThere,
} from './sha256-calls.ts';
import { type LaidMessage, TwoLanes } from './sha256-lanes.ts';

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
  const native = findNative();
  return native === undefined ? createHash('sha256') : new NativeSha256(native);
}

/** The hashes of messages, 32 bytes each. */
export function hashEach(messages: readonly Uint8Array[]): Buffer[] {
  const native = findNative();
  const isWorthIt = messages.length > 1 && messages.every(({ length }) => length >= LEAST_BYTES);
  return native !== undefined && isWorthIt
    ? hashLanes(native, messages)
    : messages.map((message) => hash('sha256', message, 'buffer'));
}

/** The hash of `message`, while `more` is added to `running`. */
export function hashAlongside(message: Uint8Array, running: RunningSha256, more: Uint8Array): Buffer {
  if (running instanceof NativeSha256 && Math.min(message.length, more.length) >= LEAST_BYTES) {
    return running.updateAlongside(more, message);
  }
  running.update(more);
  return hash('sha256', message, 'buffer');
}

/** What of a room behind a message `hashInRoom` writes to, at most. */
export const PADDING_BYTES = BLOCK_BYTES + 8;

/**
 * The hash of what lies at the beginning of a room, at the cost of one call: what the specification puts behind a message is
 * put into the room, over what was there.
 * @param length bytes, and `PADDING_BYTES` less than the room has at most
 */
export function hashInRoom(room: Uint8Array, length: number): Buffer {
  const native = findNative();
  if (native === undefined) return hash('sha256', room.subarray(0, length), 'buffer');
  const blocks = blocksOf(length);
  putPadding(room, length, blocks * BLOCK_BYTES, length);
  roomState.set(FIRST_STATE);
  native.calls.one(roomState, room, blocks);
  return digestOf(roomState);
}

const roomState = Uint32Array.from(FIRST_STATE);

/** Shorter ones are not worth the calls. Also, the engine may move the smallest arrays while their addresses are held. */
const LEAST_BYTES = 4096;

/** Of a thread; nothing is left in what is shared. */
interface Native {
  calls: Sha256Calls;
  pair: PairOfStates;
  lanes: TwoLanes;
}

/** What ends a message takes so much at most. */
const END_BYTES = 2 * BLOCK_BYTES;

function hashLanes({ calls, lanes }: Native, messages: readonly Uint8Array[]): Buffer[] {
  // The longest first: the lanes come to their ends together then.
  const order = [...messages.keys()].sort((a, b) => messages[b]!.length - messages[a]!.length);
  const ends = new Uint8Array(messages.length * END_BYTES);
  const address = addressOf(calls, ends);
  const laid = order.map((index): LaidMessage => {
    const message = messages[index]!;
    const rest = message.length % BLOCK_BYTES;
    const at = index * END_BYTES;
    const end = { address: address + at, blocks: blocksOf(rest) };
    ends.set(message.subarray(message.length - rest), at);
    putPadding(ends, at + rest, at + end.blocks * BLOCK_BYTES, message.length);
    return { address: addressOf(calls, message), blocks: (message.length - rest) / BLOCK_BYTES, end };
  });
  const hashes = lanes.hash(laid);
  const digests = new Array<Buffer>(messages.length);
  for (const [at, index] of order.entries()) digests[index] = hashes[at]!;
  return digests;
}

class NativeSha256 implements RunningSha256 {
  readonly #native: Native;
  readonly #state = Uint32Array.from(FIRST_STATE);
  /** What does not fill a block yet, and room for the end of the message. */
  readonly #rest = new Uint8Array(END_BYTES);
  #restBytes = 0;
  #sizeBytes = 0;

  constructor(native: Native) {
    this.#native = native;
  }

  update(bytes: Uint8Array): void {
    const begin = this.#fillRest(bytes);
    this.#addBlocks(bytes.subarray(begin));
  }

  /** Adds `bytes`. @returns the hash of `message` */
  updateAlongside(bytes: Uint8Array, message: Uint8Array): Buffer {
    const whole = bytes.subarray(this.#fillRest(bytes));
    const other = new NativeSha256(this.#native);
    const blocks = Math.floor(Math.min(whole.length, message.length) / BLOCK_BYTES);
    this.#addBoth(whole, other, message, blocks);
    this.#addBlocks(whole.subarray(blocks * BLOCK_BYTES));
    other.#sizeBytes = message.length;
    other.#addBlocks(message.subarray(blocks * BLOCK_BYTES));
    return other.digest();
  }

  digest(): Buffer {
    const blocks = blocksOf(this.#restBytes);
    putPadding(this.#rest, this.#restBytes, blocks * BLOCK_BYTES, this.#sizeBytes);
    this.#native.calls.one(this.#state, this.#rest, blocks);
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
    this.#native.calls.one(this.#state, this.#rest, 1);
    this.#restBytes = 0;
    return taken;
  }

  /** No block is begun, or there are no bytes. */
  #addBlocks(bytes: Uint8Array): void {
    const blocks = Math.floor(bytes.length / BLOCK_BYTES);
    if (blocks > 0) this.#native.calls.one(this.#state, bytes, blocks);
    const rest = bytes.subarray(blocks * BLOCK_BYTES);
    if (rest.length === 0) return;
    this.#rest.set(rest);
    this.#restBytes = rest.length;
  }

  #addBoth(own: Uint8Array, other: NativeSha256, theirs: Uint8Array, blocks: number): void {
    const { calls, pair } = this.#native;
    pair.set(0, this.#state);
    pair.set(1, other.#state);
    pair.place(0, addressOf(calls, own), blocks);
    pair.place(1, addressOf(calls, theirs), blocks);
    pair.addPlaced();
    pair.get(0, this.#state);
    pair.get(1, other.#state);
  }
}

let found: { native: Native | undefined } | undefined;

/** Undefined where it is not to be had. */
function findNative(): Native | undefined {
  found ??= { native: loadNative() };
  return found.native;
}

function loadNative(): Native | undefined {
  const calls = sha256CallsIfThere();
  if (calls === undefined) return undefined;
  const native = { calls, pair: new PairOfStates(calls), lanes: new TwoLanes(calls) };
  return isRight(native) ? native : undefined;
}

/** What these say is believed where they say what `hash` does. */
function isRight(native: Native): boolean {
  const samples = [sample(LEAST_BYTES + 1, 3), sample(LEAST_BYTES + 100, 5), sample(LEAST_BYTES + 50, 7)] as const;
  const [first, second, third] = samples.map((bytes) => hash('sha256', bytes, 'hex'));
  const running = new NativeSha256(native);
  const digests = [running.updateAlongside(samples[1], samples[0]), running.digest(), ...hashLanes(native, samples)];
  const said = digests.map((digest) => digest.toString('hex'));
  return isDeepStrictEqual(said, [first, second, first, second, third]);
}

function sample(length: number, factor: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * factor);
}
