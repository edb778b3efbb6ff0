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

  it('stops at each byte where the definition of the gear hash does, wherever it begins and ends', () => {
    const gear = gearTable('3da3358b4dc173');
    const memory = chunkerMemory(64);
    new Int32Array(memory.buffer).set(gear);
    const module = new WebAssembly.Module(readFileSync(here('scan.wasm')));
    const { scan, hash } = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
    const masks = fc.constantFrom(0x8000_0000 | 0, 0xf000_0000 | 0, RARE);
    const some = fc.uint8Array({ maxLength: 32 });
    fc.assert(
      fc.property(some, fc.nat(8), masks, fc.integer(), (bytes, offset, mask, before) => {
        const start = CHUNKER_DATA_OFFSET + offset;
        new Uint8Array(memory.buffer).set(bytes, start);
        hash.value = before;
        const stopped = scan(start, start + bytes.length, mask);
        const expected = stopOf(bytes, gear, mask, before);
        expect(stopped).toBe(expected.length === 0 ? 0 : start + expected.length);
        expect(hash.value).toBe(expected.hash);
      }),
      { numRuns: 1000 },
    );
  });

  it('moves bytes whose places overlap, however they lie', () => {
    const memory = chunkerMemory(1 << 16);
    const chunker = new Chunker(memory, gearTable('3da3358b4dc173'));
    const bytes = new Uint8Array(memory.buffer, CHUNKER_DATA_OFFSET, 1 << 16);
    const place = fc.nat(30_000);
    fc.assert(
      fc.property(place, place, place, (to, from, length) => {
        for (let at = 0; at < bytes.length; at++) bytes[at] = at * 7 + (at >> 8);
        const expected = new Uint8Array(bytes).copyWithin(to, from, from + length);
        chunker.move(CHUNKER_DATA_OFFSET + to, CHUNKER_DATA_OFFSET + from, length);
        expect(Buffer.compare(bytes, expected)).toBe(0);
      }),
      { numRuns: 30 },
    );
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

interface Exports {
  scan(at: number, end: number, mask: number): number;
  hash: WebAssembly.Global;
}

const RARE = 0xff_ff_fc_00 | 0;

/** Behind how many bytes the hash has none of the mask's bits, 0 for nowhere, and the hash there or at the end. */
function stopOf(bytes: Uint8Array, gear: Int32Array, mask: number, before: number): { length: number; hash: number } {
  let hash = before;
  for (const [at, byte] of bytes.entries()) {
    hash = ((hash << 1) + gear[byte]!) | 0;
    if ((hash & mask) === 0) return { length: at + 1, hash };
  }
  return { length: 0, hash };
}

/** The first length above the minimum behind which the hash of the last 32 bytes has its highest 22 bits clear, or 0. */
function firstCut(bytes: Uint8Array, gear: Int32Array): number {
  let hash = 0;
  for (let at = MIN_CHUNK_BYTES - 32; at < bytes.length; at++) {
    hash = ((hash << 1) + gear[bytes[at]!]!) | 0;
    if (at >= MIN_CHUNK_BYTES && hash >>> 10 === 0) return at + 1;
  }
  return 0;
}
