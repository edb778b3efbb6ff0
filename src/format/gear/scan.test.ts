import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildWasm } from '../../../scripts/build-wasm.ts';
import { CHUNKER_DATA_OFFSET, Chunker, chunkerMemory, gearTable, MIN_CHUNK_BYTES } from '../chunker.ts';

const here = (name: string): string => new URL(name, import.meta.url).pathname;

describe('the scan for a cut', () => {
  it('is what its source says', async () => {
    expect(readFileSync(here('scan.wasm'))).toEqual(await buildWasm(here('scan.wat')));
  });

  it('finds the same cut as the definition of the gear hash', () => {
    const gear = gearTable('3da3358b4dc173');
    const memory = chunkerMemory(1 << 20);
    const bytes = new Uint8Array(memory.buffer, CHUNKER_DATA_OFFSET, 1 << 20);
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(255)), (stream) => {
        const seed = [...stream.take(61)];
        for (let at = 0; at < bytes.length; at++) bytes[at] = (seed[at % 61]! * 31 + (at >> 6) * 7 + (at >> 13)) & 255;
        const found = new Chunker(memory, gear).next(CHUNKER_DATA_OFFSET, CHUNKER_DATA_OFFSET + bytes.length);
        expect(found).toBe(firstCut(bytes, gear));
      }),
      { numRuns: 10 },
    );
  });
});

/** The first length above the minimum behind which the hash of the last 32 bytes has its highest 22 bits clear, or 0. */
function firstCut(bytes: Uint8Array, gear: Int32Array): number {
  let hash = 0;
  for (let at = MIN_CHUNK_BYTES - 32; at < bytes.length; at++) {
    hash = ((hash << 1) + gear[bytes[at]!]!) | 0;
    if (at >= MIN_CHUNK_BYTES && hash >>> 10 === 0) return at + 1;
  }
  return 0;
}
