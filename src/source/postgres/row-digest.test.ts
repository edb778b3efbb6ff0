import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowDigest } from './row-digest.ts';

function digestOf(bytes: Uint8Array, cuts: number[] = []): { rows: number; bytes: number; digest: string } {
  const digest = new RowDigest();
  let at = 0;
  for (const cut of [...cuts].map((each) => each % (bytes.length + 1)).sort((a, b) => a - b)) {
    digest.update(bytes.subarray(at, cut));
    at = Math.max(at, cut);
  }
  digest.update(bytes.subarray(at));
  return { rows: digest.rows, bytes: digest.bytes, digest: digest.digest() };
}

const lines = (rows: readonly string[]): Buffer => Buffer.from(rows.map((row) => `${row}\n`).join(''));
const row = fc.oneof(
  fc.string({ maxLength: 80 }).map((text) => text.replaceAll('\n', ' ')),
  fc.string({ unit: fc.constantFrom('\0', '\x0b', '\x09', '\x8a', 'ÿ'), maxLength: 40 }),
);
const table = fc.array(row, { maxLength: 12 });

/** MurmurHash3_x86_128 as its author publishes it, on one row, by big integers. */
function murmur(bytes: Buffer): bigint {
  const mask = 0xffff_ffffn;
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & mask;
  const c = [0x239b961bn, 0xab0e9789n, 0x38b34ae5n, 0xa1e38b93n];
  const h = [0x9747b28cn, 0x9747b28cn, 0x9747b28cn, 0x9747b28cn];
  const scramble = (k: bigint, i: number) => (rotate((k * c[i]!) & mask, BigInt(15 + i)) * c[(i + 1) % 4]!) & mask;
  const turns = [19n, 17n, 15n, 13n];
  const added = [0x561ccd1bn, 0x0bcaa747n, 0x96cd1c35n, 0x32ac3b17n];
  const blocks = Math.floor(bytes.length / 16);
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 4; i++) {
      h[i] = h[i]! ^ scramble(BigInt(bytes.readUInt32LE(block * 16 + i * 4)), i);
      h[i] = (((rotate(h[i]!, turns[i]!) + h[(i + 1) % 4]!) & mask) * 5n + added[i]!) & mask;
    }
  }
  const tail = Buffer.concat([bytes.subarray(blocks * 16), Buffer.alloc(16)]);
  for (let i = 0; i < 4; i++) h[i] = h[i]! ^ scramble(BigInt(tail.readUInt32LE(i * 4)), i) ^ BigInt(bytes.length);
  const sum = () => {
    h[0] = (h[0]! + h[1]! + h[2]! + h[3]!) & mask;
    for (let i = 1; i < 4; i++) h[i] = (h[i]! + h[0]!) & mask;
  };
  sum();
  for (let i = 0; i < 4; i++) {
    let x = h[i]!;
    x = ((x ^ (x >> 16n)) * 0x85ebca6bn) & mask;
    x = ((x ^ (x >> 13n)) * 0xc2b2ae35n) & mask;
    h[i] = x ^ (x >> 16n);
  }
  sum();
  return h[0]! | (h[1]! << 32n) | (h[2]! << 64n) | (h[3]! << 96n);
}

describe('the digest of rows', () => {
  it('is zero for no rows', () => {
    expect(digestOf(lines([]))).toEqual({ rows: 0, bytes: 0, digest: '0'.repeat(32) });
  });

  it('has not changed since it was first written into manifests', () => {
    expect(digestOf(lines(['1\tone', '2\t\\N', ''])).digest).toBe('08e1e00e08e1e00ea10465d7f11e4229');
  });

  it('is the sum of the MurmurHash3 of each row', () => {
    fc.assert(
      fc.property(table, (rows) => {
        const sum = rows.reduce((total, text) => total + murmur(Buffer.from(text)), 0n) % (1n << 128n);
        expect(digestOf(lines(rows)).digest).toBe(sum.toString(16).padStart(32, '0'));
      }),
    );
  });

  it('does not depend on how the bytes are cut, nor on the order of the rows', () => {
    fc.assert(
      fc.property(table, fc.array(fc.nat(), { maxLength: 20 }), (rows, cuts) => {
        const expected = digestOf(lines(rows));
        expect(expected.rows).toBe(rows.length);
        expect(digestOf(lines(rows), cuts)).toEqual(expected);
        expect(digestOf(lines([...rows].reverse()))).toEqual(expected);
        expect(digestOf(lines([...rows].sort()), cuts)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('is the same from memory that is not aligned', () => {
    const bytes = lines(['some row', 'x'.repeat(100), '', 'another']);
    for (let shift = 0; shift < 8; shift++) {
      const moved = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
      expect(digestOf(moved)).toEqual(digestOf(bytes));
    }
  });

  it('is another when a row is changed, lost, doubled or taken for another', () => {
    const some = fc.array(row, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(some, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (rows, which, where, flip) => {
        const { digest } = digestOf(lines(rows));
        const index = which % rows.length;
        expect(digestOf(lines(rows.toSpliced(index, 1))).digest).not.toBe(digest);
        expect(digestOf(lines([...rows, rows[index]!])).digest).not.toBe(digest);
        expect(digestOf(lines(rows.with(index, `${rows[index]!} `))).digest).not.toBe(digest);
        expect(digestOf(lines(rows.with(index, `${rows[index]!}\0`))).digest).not.toBe(digest);
        const bytes = lines(rows);
        const at = where % bytes.length;
        const changed = bytes[at]! ^ flip;
        if (bytes[at] === 0x0a || changed === 0x0a) return;
        bytes[at] = changed;
        expect(digestOf(bytes).digest).not.toBe(digest);
      }),
      { numRuns: 500 },
    );
  });

  it('knows whether the last row is complete', () => {
    for (const [text, complete] of [
      ['', true],
      ['a', false],
      ['a\n', true],
      ['x'.repeat(16), false],
      ['x\ny', false],
    ] as const) {
      const digest = new RowDigest();
      digest.update(Buffer.from(text));
      expect(digest.atRowEnd).toBe(complete);
    }
  });
});
