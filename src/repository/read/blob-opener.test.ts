import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { noise } from '../../../test/support/repository.ts';
import { compress, loadNativeCodecs, newSealingKey, seal } from '../../format/index.ts';
import { BlobOpener, type OpenableBlob } from './blob-opener.ts';

const key = newSealingKey();
const native = loadNativeCodecs(key);

function sealed(plain: Buffer, isCompressed: boolean): { bytes: Buffer; blob: OpenableBlob } {
  return {
    bytes: seal(key, isCompressed ? compress(plain) : plain),
    blob: {
      id: hash('sha256', plain, 'buffer'),
      uncompressedLength: isCompressed ? plain.length : 0,
      pack: 'the-pack',
    },
  };
}

it('finds the codecs in the Node that the tests run on, so that they are tested', () => {
  expect(native).toBeDefined();
});

it('takes little memory for little blobs', () => {
  const before = process.memoryUsage().arrayBuffers;
  const openers = Array.from({ length: 20 }, () => new BlobOpener(key));
  const { bytes, blob } = sealed(noise(1000), true);
  for (const each of openers) expect(each.open(Buffer.from(bytes), blob)).toHaveLength(1000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(openers.length * 256 * 1024);
});

describe.each([
  ['with the codecs of Node’s binary', native],
  ['without them', undefined],
])('a blob opener %s', (_name, codecs) => {
  const opener = (): BlobOpener => new BlobOpener(key, codecs ?? null);

  it('opens one blob after the other, compressed and not, of any size', () => {
    const one = opener();
    for (const size of [0, 1, 15, 16, 17, 4096, 1_000_000, 9_000_000, 3]) {
      for (const isCompressed of size === 0 ? [false] : [true, false]) {
        const plain = noise(size, size);
        const { bytes, blob } = sealed(plain, isCompressed);
        expect(one.open(bytes, blob).equals(plain)).toBe(true);
      }
    }
  });

  it('opens two at once, in the order in which they were given', () => {
    const one = opener();
    for (const [size, other] of [
      [100_000, 1_000_000],
      [2_000_000, 20_000],
    ] as const) {
      for (const [first, second] of [
        [sealed(noise(size, 1), true), sealed(noise(other, 2), true)],
        [sealed(noise(size, 1), false), sealed(noise(other, 2), true)],
        [sealed(noise(size, 1), true), sealed(noise(other, 2), false)],
      ].map((pair) => pair.map(({ bytes, blob }) => ({ sealed: bytes, blob })))) {
        const both = one.openBoth(first!, second!) ?? [];
        // Without the codecs it leaves them to be opened one by one.
        expect(both.map((plain) => hash('sha256', plain))).toEqual(
          codecs === undefined ? [] : [first, second].map((each) => Buffer.from(each!.blob.id).toString('hex')),
        );
      }
    }
  });

  it.each([
    ['the first is damaged', 0, 5000],
    ['the second is damaged', 1, 5000],
    ['the last byte of the second is', 1, 49_000],
  ])('opens none of two where %s, and leaves them as they were', (_what, which, at) => {
    const one = opener();
    for (const isCompressed of [true, false]) {
      const pair = [1, 2].map((seed) => {
        const { bytes, blob } = sealed(noise(50_000, seed), isCompressed);
        return { sealed: bytes, blob };
      });
      pair[which]!.sealed[at]! ^= 1;
      const before = pair.map((each) => Buffer.from(each.sealed));
      expect(one.openBoth(pair[0]!, pair[1]!)).toBeUndefined();
      expect(pair.every((each, index) => each.sealed.equals(before[index]!))).toBe(true);
    }
  });

  it.each([0, 1])('opens none of two where number %d is of other bytes than its id promises', (which) => {
    const one = opener();
    for (const isCompressed of [true, false]) {
      const pair = [1, 2].map((seed, at) => {
        const { bytes, blob } = sealed(noise(50_000, seed), isCompressed);
        return { sealed: bytes, blob: at === which ? { ...blob, id: hash('sha256', 'other', 'buffer') } : blob };
      });
      const before = pair.map((each) => Buffer.from(each.sealed));
      expect(one.openBoth(pair[0]!, pair[1]!)).toBeUndefined();
      expect(pair.every((each, index) => each.sealed.equals(before[index]!))).toBe(true);
    }
  });

  it.each([0, 8, 16, 500, 1015, 1031])('refuses a blob with a bit changed at byte %d, and goes on', (at) => {
    const one = opener();
    const { bytes, blob } = sealed(noise(1000), false);
    bytes[at]! ^= 1;
    expect(() => one.open(bytes, blob)).toThrow(/in pack the-pack is damaged: authentication failed/);
    const right = sealed(noise(2000), true);
    expect(one.open(right.bytes, right.blob).equals(noise(2000))).toBe(true);
  });

  it('refuses a blob of other bytes than its id promises', () => {
    for (const isCompressed of [true, false]) {
      const { bytes, blob } = sealed(noise(1000), isCompressed);
      const other = { ...blob, id: hash('sha256', 'other', 'buffer') };
      expect(() => opener().open(bytes, other)).toThrow(/content does not match its name/);
    }
  });

  it.each([999, 1001])('refuses a blob of 1000 bytes that is to have %d', (uncompressedLength) => {
    const { bytes, blob } = sealed(noise(1000), true);
    expect(() => opener().open(bytes, { ...blob, uncompressedLength })).toThrow(/is damaged/);
  });

  it('refuses what is not compressed and should be, and what is too short to be sealed', () => {
    const { blob } = sealed(noise(1000), true);
    expect(() => opener().open(seal(key, noise(1000)), blob)).toThrow(/compressed data cannot be read/);
    expect(() => opener().open(Buffer.alloc(31), blob)).toThrow(/too short/);
  });
});
