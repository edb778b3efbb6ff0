import { hash } from 'node:crypto';
import { compress, decompress } from '../format/index.ts';
import { HoldfastError, messageOf } from '../foundation/errors.ts';
import { EVENT_VERSION, type EventEnvelope, type LedgerEvent } from './events.ts';

/**
 * How events lie in objects. The bytes of an event are the same wherever it lies, and so is its hash:
 *
 * - `<writer>/<sequence>`: one event, as JSON; or several that were recorded at once, from that sequence on, as a JSON
 *   document with a line for each.
 * - `days/<day>/<digest>`: events of a day that is over, of any writers, a line each, as a zstd frame behind a byte that
 *   says so.
 */

const SEQUENCE_DIGITS = 10;
const CHAIN_KEY = /^([0-9a-f]{32})\/([0-9]{10})$/;
const DAY_KEY = /^days\/(\d{4}-\d{2}-\d{2})\/[0-9a-f]{64}$/;
/** Other programs see a document of a version that they do not know, where they do not know batches. */
const BATCH = {
  head: Buffer.from('{"version":2,"events":[\n'),
  separator: Buffer.from(',\n'),
  tail: Buffer.from('\n]}'),
};
const NEWLINE = 0x0a;
const FIRST_OF_JSON = 0x7b;
const COMPRESSED_LINES = 0x01;
/** Far above what is written. */
const DAY_LIMIT_BYTES = 256 * 1024 * 1024;

export interface ReadEvent {
  event: LedgerEvent;
  /** SHA-256 (hex) of `plain`. */
  hash: string;
  /** The event's own bytes. */
  plain: Buffer;
}

export type LedgerKey = { form: 'chain'; writer: string; sequence: number } | { form: 'day'; day: string };

/** What a key says of an object of the ledger; undefined for what this program does not know. */
export function parseLedgerKey(key: string): LedgerKey | undefined {
  const [, writer, sequence] = CHAIN_KEY.exec(key) ?? [];
  if (writer !== undefined) return { form: 'chain', writer, sequence: Number(sequence) };
  const day = DAY_KEY.exec(key)?.[1];
  return day === undefined ? undefined : { form: 'day', day };
}

export function chainKey(writer: string, sequence: number): string {
  return `${writer}/${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

/** The content of an object of a chain. @param plains the bytes of events that follow one another; at least one */
export function encodeChainObject(plains: readonly Buffer[]): Buffer {
  if (plains.length === 1) return plains[0]!;
  const lines = plains.flatMap((plain, index) => (index === 0 ? [plain] : [BATCH.separator, plain]));
  return Buffer.concat([BATCH.head, ...lines, BATCH.tail]);
}

/** The key and the content of an object of a day. @param plains the bytes of its events */
export function encodeDay(day: string, plains: readonly Buffer[]): { key: string; content: Buffer } {
  const lines = Buffer.concat(plains.flatMap((plain) => [plain, Buffer.of(NEWLINE)]));
  const key = `days/${day}/${sha256(lines)}`;
  return { key, content: Buffer.concat([Buffer.of(COMPRESSED_LINES), compress(lines)]) };
}

/**
 * The events of an object, in its order.
 * @throws repository-damaged when it is not what was written there; repository-unsupported when a later program wrote it
 */
export function decodeLedgerObject(key: string, content: Buffer): ReadEvent[] {
  const place = parseLedgerKey(key);
  const events = eventBytes(key, content).map((plain) => decodeEvent(key, plain));
  if (place?.form !== 'chain') return events;
  for (const [index, { event }] of events.entries()) {
    if (event.writer === place.writer && event.sequence === place.sequence + index) continue;
    throw damaged(key, 'was moved from another place');
  }
  return events;
}

/**
 * The bytes of each event of an object, as they are.
 * @param isKnown whether it was read from there before: then it is not looked again whether it was moved
 * @throws as `decodeLedgerObject`, of the object alone
 */
export function eventBytes(key: string, content: Buffer, isKnown = false): Buffer[] {
  const place = parseLedgerKey(key);
  if (place === undefined) throw new HoldfastError('internal', `${key} is no object of the ledger`);
  if (place.form === 'day') return dayLines(key, content, isKnown);
  return isBatch(content) ? batchLines(key, content) : [content];
}

function isBatch(content: Buffer): boolean {
  return content.subarray(0, BATCH.head.length).equals(BATCH.head);
}

function batchLines(key: string, content: Buffer): Buffer[] {
  if (!content.subarray(-BATCH.tail.length).equals(BATCH.tail)) throw damaged(key, 'is malformed');
  const lines = linesOf(content.subarray(BATCH.head.length, content.length - BATCH.tail.length));
  const last = lines.pop();
  return [...lines.map((line) => line.subarray(0, -1)), ...(last === undefined ? [] : [last])];
}

function dayLines(key: string, content: Buffer, isKnown: boolean): Buffer[] {
  if (content[0] === FIRST_OF_JSON) throw damaged(key, 'was moved from another place');
  if (content[0] !== COMPRESSED_LINES) throw unsupported(key, `encoding ${content[0] ?? 'of no bytes'}`);
  const lines = decompress(content.subarray(1), DAY_LIMIT_BYTES);
  if (!isKnown && sha256(lines) !== key.slice(key.lastIndexOf('/') + 1))
    throw damaged(key, 'was moved from another place');
  return linesOf(lines.subarray(0, -1));
}

function linesOf(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start <= text.length; ) {
    const end = text.indexOf(NEWLINE, start);
    lines.push(text.subarray(start, end === -1 ? text.length : end));
    if (end === -1) break;
    start = end + 1;
  }
  return lines;
}

/** @param key where it lies, for messages */
export function decodeEvent(key: string, plain: Buffer): ReadEvent {
  let event: LedgerEvent;
  try {
    event = JSON.parse(plain.toString('utf8')) as LedgerEvent;
  } catch (cause) {
    throw damaged(key, `is not JSON: ${messageOf(cause)}`, cause);
  }
  const { version } = (event ?? {}) as { version?: unknown };
  if (typeof version !== 'number') throw damaged(key, 'is malformed');
  if (version > EVENT_VERSION) throw unsupported(key, `version ${version}`);
  if (!isWhole(event)) throw damaged(key, 'is malformed');
  return { event, hash: sha256(plain), plain };
}

const TIME = /^\d{4}-\d{2}-\d{2}T/;

/** Whoever has the password can write what is no event: who reads one relies on this much. */
function isWhole(event: EventEnvelope & { kind: unknown; body: unknown }): boolean {
  const { kind, time, actor, heads, writer, sequence, previous, body } = event;
  if (![kind, time, actor, writer, previous ?? ''].every((text) => typeof text === 'string')) return false;
  if (!TIME.test(time) || Number.isNaN(Date.parse(time)) || !Number.isSafeInteger(sequence)) return false;
  return isObject(heads) && isObject(body) && Object.values(heads).every((hash) => typeof hash === 'string');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function damaged(key: string, how: string, cause?: unknown): HoldfastError {
  return new HoldfastError('repository-damaged', `the ledger's event ${key} ${how}`, { context: { key }, cause });
}

function unsupported(key: string, what: string): HoldfastError {
  return new HoldfastError('repository-unsupported', `the ledger's event ${key} has the unknown ${what}`, {
    hint: 'Use the version of Holdfast that wrote it, or a newer one.',
    context: { key },
  });
}

export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
