import { hash } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { noise, testDirectory } from '../../../test/support/repository.ts';
import { gearTable } from '../../format/index.ts';
import type { ExpectedChunks } from './earlier-chunks.ts';
import { PartReader } from './part-reader.ts';

const MIB = 1024 * 1024;
const hashOf = (bytes: Uint8Array) => hash('sha256', bytes, 'buffer');

type Expected = [start: number, length: number, id: Buffer];

function chunksOf(expected: readonly Expected[]): ExpectedChunks {
  return {
    starts: Uint32Array.from(expected, ([start]) => start),
    lengths: Uint32Array.from(expected, ([, length]) => length),
    ids: Buffer.concat(expected.map(([, , id]) => id)),
  };
}

/** A reader, and what it gave to be stored: where its bytes lie, its id is theirs. */
function testReader() {
  const stored: { bytes: Buffer; id: Buffer }[] = [];
  const store = (_type: string, plain: Uint8Array, known?: Buffer) => {
    const bytes = Buffer.from(plain);
    const id = known ?? hashOf(bytes);
    stored.push({ bytes, id });
    return { id, fresh: true, storedBytes: bytes.length };
  };
  const reader = new PartReader({ store }, gearTable('3DA3358B4DC173'));
  const path = join(testDirectory(), 'file');
  const read = (content: Uint8Array, expected: Expected[] = []) => {
    writeFileSync(path, content);
    stored.length = 0;
    const fileDescriptor = openSync(path, 'r');
    try {
      const part = { number: 0, fileDescriptor, position: 0, limitBytes: content.length };
      reader.store({ ...part, expected: chunksOf(expected) }, () => true);
    } finally {
      closeSync(fileDescriptor);
    }
  };
  return { read, stored };
}

function expectAllToBeTheirOwn(stored: readonly { bytes: Buffer; id: Buffer }[], content: Uint8Array): void {
  expect(stored.every(({ bytes, id }) => hashOf(bytes).equals(id))).toBe(true);
  expect(Buffer.concat(stored.map(({ bytes }) => bytes)).equals(content)).toBe(true);
}

describe('a chunk that was hashed along with the one before it', () => {
  it('is taken for no chunk elsewhere in the file, though that one is expected to be the same', () => {
    const { read, stored } = testReader();
    const content = noise(6 * MIB, 'content');
    read(content);
    const cut = stored[0]!.bytes.length;
    const [half, length] = [cut >> 1, 300_000];
    const along = hashOf(content.subarray(half, half + length));
    read(content, [
      [0, half, hashOf(Buffer.from('other'))],
      [half, length, along],
      [cut, length, along],
    ]);
    expectAllToBeTheirOwn(stored, content);
  });

  it('is taken for none of another file', () => {
    const { read, stored } = testReader();
    const cutOf = (content: Uint8Array) => {
      read(content);
      return stored[0]!.bytes.length;
    };
    const contents = ['one', 'other'].map((seed) => noise(4 * MIB, seed)).sort((a, b) => cutOf(b) - cutOf(a));
    const [first, second] = contents as [Buffer, Buffer];
    // The first file has no cut where the second has its first one.
    const [cut, length] = [cutOf(second), 300_000];
    expect(cut).toBeLessThan(cutOf(first));
    const along = hashOf(first.subarray(cut, cut + length));
    read(first, [
      [0, cut, hashOf(Buffer.from('other'))],
      [cut, length, along],
    ]);
    read(second, [[cut, length, along]]);
    expectAllToBeTheirOwn(stored, second);
  });
});
