import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSealingKey } from './key-file.ts';
import { decodePackTrailer, encodePackTrailer, type PackedBlob, packTrailerBytes, packTrailerLength } from './pack.ts';
import { seal } from './sealing.ts';

const key = newSealingKey();
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const blob = fc.record({
  id,
  type: fc.constantFrom('data' as const, 'tree' as const),
  length: fc.integer({ min: 32, max: 100_000 }),
  plain: fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 })),
});
const blobs = fc.array(blob, { maxLength: 20 }).map((list) => {
  let offset = 0;
  return list.map(({ plain, ...rest }): PackedBlob => {
    const packed = { ...rest, offset, ...(plain !== null && { uncompressedLength: plain }) };
    offset += rest.length;
    return packed;
  });
});

function bytesOfBlobs(list: readonly PackedBlob[]): number {
  return list.reduce((sum, { length }) => sum + length, 0);
}

/** Reads the end of a pack as a reader does that knows only the pack's size. */
function read(trailer: Uint8Array, blobBytes: number): PackedBlob[] {
  const packBytes = blobBytes + trailer.length;
  const length = packTrailerLength(trailer.subarray(-4), packBytes);
  if (length > trailer.length) return read(Buffer.concat([Buffer.alloc(length - trailer.length), trailer]), 0);
  return decodePackTrailer(key, trailer.subarray(trailer.length - length), packBytes);
}

describe("a pack's trailer", () => {
  it('says what the pack holds', () => {
    fc.assert(
      fc.property(blobs, (list) => {
        const trailer = encodePackTrailer(key, list);
        expect(trailer).toHaveLength(packTrailerBytes(list));
        expect(read(trailer, bytesOfBlobs(list))).toEqual(list);
      }),
    );
  });

  const some: PackedBlob[] = [
    { id: 'ab'.repeat(32), type: 'data', offset: 0, length: 500 },
    { id: 'cd'.repeat(32), type: 'tree', offset: 500, length: 100, uncompressedLength: 900 },
  ];

  it('is refused with any bit flipped', () => {
    const trailer = encodePackTrailer(key, some);
    for (let bit = 0; bit < trailer.length * 8; bit++) {
      const flipped = Buffer.from(trailer);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => read(flipped, 600)).toThrow(expect.objectContaining({ code: 'repository-damaged' }));
    }
  });

  it('is refused wherever the pack was cut', () => {
    const trailer = encodePackTrailer(key, some);
    for (let length = 0; length < trailer.length; length++) {
      const cut = () => read(trailer.subarray(0, length), 600);
      expect(cut).toThrow(expect.objectContaining({ code: 'repository-damaged' }));
    }
  });

  it('is refused in a pack of another size', () => {
    const trailer = encodePackTrailer(key, some);
    for (const bytes of [599, 601, 0]) expect(() => read(trailer, bytes)).toThrow(/lists 600 bytes of blobs/);
  });

  it('is refused when it is authentic and malformed', () => {
    const withLength = (header: Buffer): Buffer => {
      const sealed = seal(key, header);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(sealed.length);
      return Buffer.concat([sealed, length]);
    };
    expect(() => read(withLength(Buffer.alloc(36)), 0)).toThrow(/malformed/);
    expect(() => read(withLength(Buffer.alloc(37, 9)), 0)).toThrow(/malformed/);
    // Of no kind that there is, and else as it should be.
    for (const kind of [4, 255])
      expect(() => read(withLength(Buffer.of(kind, ...Buffer.alloc(40))), 0)).toThrow(/malformed/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (header) => {
        try {
          read(withLength(Buffer.from(header)), 0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'repository-damaged' });
        }
      }),
    );
  });
});
