import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noise } from '../../test/support/repository.ts';
import { CHUNKER_DATA_OFFSET, Chunker, chunkerMemory, gearTable, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES } from './chunker.ts';

const gear = gearTable('3da3358b4dc173');

/** Where the chunks of `bytes` end, when they arrive up to these positions. */
function cuts(bytes: Uint8Array, arrivals: readonly number[] = [], table = gear): number[] {
  const memory = chunkerMemory(bytes.length);
  new Uint8Array(memory.buffer).set(bytes, CHUNKER_DATA_OFFSET);
  const chunker = new Chunker(memory, table);
  const next = (from: number, to: number) => chunker.next(CHUNKER_DATA_OFFSET + from, CHUNKER_DATA_OFFSET + to);
  const ends: number[] = [];
  let start = 0;
  for (const arrived of [...arrivals, bytes.length]) {
    for (let length = next(start, arrived); length > 0; length = next(start, arrived)) {
      start += length;
      ends.push(start);
    }
  }
  return start === bytes.length ? ends : [...ends, bytes.length];
}

function sizes(ends: readonly number[]): number[] {
  return ends.map((end, index) => end - (ends[index - 1] ?? 0));
}

const data = noise(24 << 20);

describe('the chunker', () => {
  it('cuts where the content says so, however the bytes arrive', () => {
    const whole = cuts(data);
    expect(whole.length).toBeGreaterThan(10);
    const position = fc.oneof(
      fc.nat(data.length),
      // Close to where something changes.
      fc
        .tuple(fc.constantFrom(...whole, MIN_CHUNK_BYTES, MAX_CHUNK_BYTES, 1 << 20), fc.integer({ min: -40, max: 40 }))
        .map(([near, distance]) => Math.max(0, Math.min(data.length, near + distance))),
    );
    fc.assert(
      fc.property(fc.array(position, { maxLength: 60 }), (positions) => {
        expect(
          cuts(
            data,
            positions.sort((a, b) => a - b),
          ),
        ).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps to its bounds', () => {
    for (const content of [data, Buffer.alloc(20 << 20), Buffer.alloc(20 << 20, 'abcdefg')]) {
      const all = sizes(cuts(content));
      expect(Math.max(...all)).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
      expect(Math.min(...all.slice(0, -1))).toBeGreaterThanOrEqual(MIN_CHUNK_BYTES);
    }
  });

  it('makes chunks of about a mebibyte', () => {
    const all = sizes(cuts(noise(64 << 20, 'average')));
    const average = all.reduce((sum, size) => sum + size, 0) / all.length;
    expect(average).toBeGreaterThan(900_000);
    expect(average).toBeLessThan(1_500_000);
  });

  it('finds its cuts again behind an insertion', () => {
    const before = new Set(cuts(data));
    for (const at of [0, 100, 700_000]) {
      const inserted = Buffer.concat([data.subarray(0, at), randomBytes(13), data.subarray(at)]);
      const kept = cuts(inserted).filter((end) => before.has(end - 13));
      expect(kept.length).toBeGreaterThanOrEqual(before.size - 4);
    }
  });

  it('cuts elsewhere with another secret', () => {
    const other = cuts(data, [], gearTable('3abc9bff07d9e5'));
    const shared = other.filter((end) => new Set(cuts(data)).has(end));
    expect(shared.length).toBeLessThanOrEqual(2);
  });
});
