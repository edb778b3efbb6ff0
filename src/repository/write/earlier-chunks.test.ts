import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise, readFiles, testDirectory, testRepository, writeSnapshot } from '../../../test/support/repository.ts';
import { SEAL_OVERHEAD_BYTES } from '../../format/index.ts';
import type { BlobTable } from '../blob-table.ts';
import type { Repository } from '../index.ts';
import { EarlierChunks, ExpectedCuts } from './earlier-chunks.ts';

const MIB = 1024 * 1024;

/** A table in which the blob `n` has `lengths[n]` bytes. */
function tableOf(lengths: readonly number[]): Pick<BlobTable, 'find'> {
  return {
    find: (id) => {
      const length = lengths[Buffer.from(id).readUInt32BE(28)];
      if (length === undefined) return undefined;
      const isCompressed = length % 2 === 0;
      return {
        packNumber: 0,
        type: 'data',
        offset: 0,
        length: isCompressed ? 10 : length + SEAL_OVERHEAD_BYTES,
        uncompressedLength: isCompressed ? length : undefined,
      };
    },
  };
}

const idOf = (number: number): string => number.toString(16).padStart(64, '0');

describe('the chunks that a file had', () => {
  it('are expected where they lie within a part, but for the end of a file that goes on now', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 * MIB }), { maxLength: 40 }),
        // Smaller parts find nothing else, and take half a minute.
        fc.integer({ min: MIB / 32, max: 8 * MIB }),
        fc.integer({ min: -2, max: 2 }),
        (lengths, partBytes, grown) => {
          const total = lengths.reduce((sum, length) => sum + length, 0);
          const sizeBytes = Math.max(0, total + grown);
          const content = lengths.map((_, index) => idOf(index));
          const earlier = new EarlierChunks(content, tableOf(lengths), sizeBytes);
          const found: number[] = [];
          for (let position = 0; position < Math.max(total, sizeBytes); position += partBytes) {
            const { starts, ids } = earlier.within(position, position + partBytes);
            for (const [index, start] of starts.entries()) {
              const number = Buffer.from(ids).readUInt32BE(index * 32 + 28);
              expect(position + start).toBe(lengths.slice(0, number).reduce((sum, length) => sum + length, 0));
              found.push(number);
            }
          }
          const wanted = lengths.flatMap((length, index) => {
            const start = lengths.slice(0, index).reduce((sum, each) => sum + each, 0);
            const isInOnePart = Math.floor(start / partBytes) === Math.floor((start + length - 1) / partBytes);
            const isEnd = index === lengths.length - 1 && start + length !== sizeBytes;
            return isInOnePart && length <= 2 * MIB && !isEnd ? [index] : [];
          });
          expect(found).toEqual(wanted);
        },
      ),
    );
  });

  it('are expected up to the first one that the repository does not have', () => {
    const lengths = [700_000, 700_001, 700_002];
    const earlier = new EarlierChunks([idOf(0), idOf(9), idOf(2)], tableOf(lengths), 2_100_003);
    expect([...earlier.within(0, 32 * MIB).starts]).toEqual([0]);
  });

  it('are told of where they begin alone, once each', () => {
    const cuts = new ExpectedCuts(new EarlierChunks([idOf(0), idOf(1)], tableOf([5, 6]), 11).within(0, 32 * MIB));
    expect([cuts.lengthAt(0), cuts.isNext(Buffer.from(idOf(0), 'hex'))]).toEqual([5, true]);
    expect([cuts.lengthAt(4), cuts.lengthAt(5)]).toEqual([undefined, 6]);
    expect([cuts.isNext(Buffer.from(idOf(0), 'hex')), cuts.lengthAt(5), cuts.lengthAt(11)]).toEqual([
      false,
      undefined,
      undefined,
    ]);
    expect(new ExpectedCuts(undefined).lengthAt(0)).toBeUndefined();
  });

  it('are told of together with what follows right behind', () => {
    const chunks = { starts: Uint32Array.of(0, 15, 21), lengths: Uint32Array.of(5, 6, 7), ids: new Uint8Array(96) };
    const cuts = new ExpectedCuts(chunks);
    const told = [0, 15, 21].map((start) => [cuts.lengthAt(start), cuts.lengthsWithin(start === 15 ? 13 : 12)]);
    expect(told).toEqual([
      [5, [5]],
      [6, [6, 7]],
      [7, [7]],
    ]);
  });
});

describe('how much can be read up to a cut of before', () => {
  const expected = () =>
    new ExpectedCuts(new EarlierChunks([idOf(0), idOf(1), idOf(2)], tableOf([5, 6, 7]), 18).within(0, 32 * MIB));

  it.each([
    ['all that follow one another', 0, 18, 18],
    ['as many as there is room for', 0, 17, 11],
    ['not the first one alone, where it is too long', 0, 4, 0],
    ['from a cut in the middle on', 5, 100, 13],
    ['nothing where none begins', 6, 100, 0],
    ['nothing behind the last', 18, 100, 0],
  ])('%s', (_what, start, mostBytes, bytes) => {
    const cuts = expected();
    expect(cuts.bytesFrom(start, mostBytes)).toBe(bytes);
    expect(cuts.bytesFrom(start, mostBytes)).toBe(bytes);
  });

  it.each([
    ['ends where enough is to be hashed together', [3, 2, 3], 5],
    ['leaves no little rest, which would be hashed alone', [3, 2, 1], 6],
  ])('%s', (_what, mebibytes, expectedMebibytes) => {
    const lengths = Uint32Array.from(mebibytes, (length) => length * MIB);
    const long = { starts: Uint32Array.of(0, 3 * MIB, 5 * MIB), lengths, ids: new Uint8Array(96) };
    expect(new ExpectedCuts(long).bytesFrom(0, 9 * MIB)).toBe(expectedMebibytes * MIB);
  });

  it('ends where one is missing', () => {
    const first = { starts: Uint32Array.of(0, 15, 21), lengths: Uint32Array.of(5, 6, 7), ids: new Uint8Array(96) };
    expect(new ExpectedCuts(first).bytesFrom(0, 100)).toBe(5);
    expect(new ExpectedCuts(first).bytesFrom(15, 100)).toBe(13);
    expect(new ExpectedCuts(undefined).bytesFrom(0, 100)).toBe(0);
  });
});

describe('a large file that is read again', () => {
  const before = noise(45 * MIB + 777, 'before');
  const other = noise(3 * MIB, 'other');
  const path = join(testDirectory(), 'file');
  let repository: Repository;
  let first: readonly string[];

  /** Backs the file up, and once more without a word of how it was before, into a repository that has nothing of it. */
  async function backUp(
    content: Uint8Array,
    known: readonly string[] | undefined,
    into = repository,
  ): Promise<string[]> {
    writeFileSync(path, content);
    let ids: string[] = [];
    await writeSnapshot(into, async (writer) => {
      const descriptor = openSync(path, 'r');
      try {
        const sizes = { sizeBytes: content.length, limitBytes: content.length + 64 * MIB };
        const { stored } = await writer.writeInParts(descriptor, { ...sizes, before: known }, () => {});
        const file = await stored;
        ids = [...file.content];
        return [{ name: 'file', type: 'file', mode: 0o600, size: file.sizeBytes, content: file.content }];
      } finally {
        closeSync(descriptor);
      }
    });
    return ids;
  }

  beforeAll(async () => {
    repository = await testRepository();
    first = await backUp(before, undefined);
  });

  const edited = Buffer.from(before);
  edited.set(other.subarray(0, 64 * 1024), 3 * MIB);
  edited.set(other.subarray(0, 64 * 1024), 33 * MIB);
  it.each<[how: string, now: Uint8Array]>([
    ['as it was', before],
    ['with other bytes at two places', edited],
    ['with more at its end', Buffer.concat([before, other])],
    ['with more at its beginning', Buffer.concat([other.subarray(0, 12_345), before])],
    ['without its end', before.subarray(0, 40 * MIB + 99)],
    ['without its beginning', before.subarray(12_345)],
    ['as another file', noise(36 * MIB, 'another')],
    ['as nothing', Buffer.alloc(0)],
  ])('%s is cut where its content says so, and stored as it is', { timeout: 60_000 }, async (_how, now) => {
    const ids = await backUp(now, first);
    const files = await readFiles(repository);
    expect(files.get('file')!.equals(now)).toBe(true);
    expect(ids).toEqual(await backUp(now, undefined));
  });
});
