import { describe, expect, it } from 'vitest';
import { isHoldfastError } from '../../../foundation/errors.ts';
import { RdbReader, type RdbReaderOptions } from './reader.ts';
import { KIND, OPCODE } from './types.ts';

const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);

function listpack(...texts: string[]): Buffer {
  const elements = texts.map((value) => Buffer.concat([Buffer.of(0x80 | value.length), Buffer.from(value)]));
  const body = elements.flatMap((element) => [element, Buffer.of(element.length)]);
  const bytes = Buffer.concat([Buffer.of(0, 0, 0, 0, texts.length, 0), ...body, Buffer.of(255)]);
  bytes.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function expires(timeMs: bigint): Buffer {
  const bytes = Buffer.of(OPCODE.expiresMs, 0, 0, 0, 0, 0, 0, 0, 0);
  bytes.writeBigInt64LE(timeMs, 1);
  return bytes;
}

const entry = (kind: number, key: string, ...value: Buffer[]): Buffer[] => [Buffer.of(kind), text(key), ...value];

/** Three bytes as they are, then nine more from three bytes before. */
const COMPRESSED = Buffer.of(0xc3, 7, 12, 2, 0x61, 0x62, 0x63, 0xe0, 0, 2);

/** Of a form that has no checksum, with the keys that are taken many at once, and one in between that is not. */
const RDB = Buffer.concat([
  Buffer.from('REDIS0004'),
  Buffer.of(OPCODE.database, 1),
  ...entry(KIND.string, 'text', text('hello')),
  ...[expires(1000n), ...entry(KIND.string, 'expiring', Buffer.of(0xc0, 0xf0))],
  ...[Buffer.of(OPCODE.idle, 0x41, 0x10), ...entry(KIND.string, 'idle', Buffer.of(0xc1, 1, 0x80))],
  ...[Buffer.of(OPCODE.frequency, 9), ...entry(KIND.string, 'frequent', Buffer.of(0xc2, 1, 2, 3, 0x84))],
  ...[expires(5000n), Buffer.of(OPCODE.idle, 7), ...entry(KIND.string, 'compressed', COMPRESSED)],
  ...entry(KIND.hashListpack, 'hash', listpack('field', 'value', 'other', '')),
  ...entry(KIND.set, 'large set', Buffer.of(2), text('one'), text('two')),
  ...entry(KIND.setListpack, 'set', listpack('one', 'two', 'three')),
  ...entry(KIND.listQuicklist2, 'list', Buffer.of(2, 2), listpack('a', 'b'), Buffer.of(2), listpack('c')),
  Buffer.of(OPCODE.database, 3),
  ...entry(KIND.string, 'long', Buffer.of(0x41, 4), Buffer.alloc(260, 'long')),
  Buffer.of(OPCODE.end),
]);

/** What was found, or what is wrong. */
function outcome(rdb: Buffer, options: Omit<RdbReaderOptions, 'origin'> = {}): unknown {
  try {
    const reader = new RdbReader({ ...options, origin: 'source' });
    reader.expiredBeforeMs = 1000;
    reader.write(rdb);
    return reader.end();
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return error.message;
  }
}

describe('the reader of an RDB', () => {
  it('counts keys of every frequent kind', () => {
    expect(outcome(RDB)).toMatchObject({
      keys: 9,
      expiring: 1,
      expired: 1,
      counts: [
        { database: 1, type: 'string', keys: 4, expiring: 1 },
        { database: 1, type: 'list', keys: 1 },
        { database: 1, type: 'set', keys: 2 },
        { database: 1, type: 'hash', keys: 1 },
        { database: 3, type: 'string', keys: 1 },
      ],
    });
  });

  it('says the same of many keys at once as of one after the other, whatever byte is another one, and wherever it ends', () => {
    const differing: string[] = [];
    const outcomes = new Set<string>();
    const compare = (rdb: Buffer, what: string): void => {
      const [many, each] = [outcome(rdb), outcome(rdb, { onKey: () => {} })].map((found) => JSON.stringify(found));
      outcomes.add(many!);
      if (many !== each) differing.push(what);
    };
    compare(RDB, 'as it is');
    for (let at = 9; at < RDB.length - 200; at++) {
      compare(RDB.subarray(0, at), `up to ${at}`);
      const byte = RDB[at]!;
      for (const other of new Set([byte ^ 1, byte ^ 2, byte ^ 0x80, 0xff, 0xc3])) {
        const changed = Buffer.from(RDB);
        changed[at] = other;
        compare(changed, `with ${other} at ${at}`);
      }
    }
    expect(differing).toEqual([]);
    expect(outcomes.size).toBeGreaterThan(500);
  });
});
