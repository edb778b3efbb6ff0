import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatheredWrites } from './gathered-writes.ts';

const MiB = 1 << 20;

/** Files in memory: what is written to them, how often, and when each is finished. */
class Files {
  readonly contents: Buffer[];
  readonly finished: number[] = [];
  writes = 0;

  constructor(count: number, sizeBytes: number) {
    this.contents = Array.from({ length: count }, () => Buffer.alloc(sizeBytes));
  }

  write(file: number, position: number, pieces: readonly Buffer[]): void {
    expect(this.finished).not.toContain(file);
    this.writes++;
    Buffer.concat(pieces).copy(this.contents[file]!, position);
  }

  finish(file: number): void {
    this.finished.push(file);
  }
}

describe('writes that follow each other in a file', () => {
  it('are made as one, of a mebibyte at most', () => {
    const files = new Files(1, 4 * MiB);
    const gathered = new GatheredWrites(files, Int32Array.of(40));
    const piece = Buffer.alloc(100_000, 1);
    for (let at = 0; at < 40; at++) gathered.add(0, at * piece.length, piece);
    gathered.flush();
    expect(files.writes).toBe(4);
    expect(files.contents[0]!.subarray(0, 4_000_000).every((byte) => byte === 1)).toBe(true);
    expect(files.finished).toEqual([0]);
  });

  it('end where another file, or another place of the same, begins', () => {
    const files = new Files(2, 100);
    const gathered = new GatheredWrites(files, Int32Array.of(3, 1));
    gathered.add(0, 0, Buffer.alloc(10, 1));
    gathered.add(0, 10, Buffer.alloc(10, 2));
    gathered.add(1, 20, Buffer.alloc(10, 3));
    gathered.add(0, 30, Buffer.alloc(10, 4));
    expect(files.writes).toBe(2);
    gathered.flush();
    gathered.flush();
    expect(files.writes).toBe(3);
    expect(files.finished).toEqual([1, 0]);
  });
});

it('finishes a file only once all that is written to it by others, too, is there', () => {
  const files = new Files(1, 100);
  const missing = Int32Array.of(3);
  const [one, other] = [new GatheredWrites(files, missing), new GatheredWrites(files, missing)];
  one.add(0, 0, Buffer.alloc(10, 1));
  other.add(0, 10, Buffer.alloc(10, 1));
  other.addZeros(0, 20, Buffer.alloc(10));
  other.flush();
  expect(files.finished).toEqual([]);
  one.flush();
  expect(files.finished).toEqual([0]);
});

it('has no room for what is larger than all of it, and still some for what comes with it', () => {
  const gathered = new GatheredWrites(new Files(1, 1), Int32Array.of(0));
  const [large, small] = gathered.reserve([2 * MiB, 1000]);
  expect([large, small?.length]).toEqual([undefined, 1000]);
});

it('has written all that was added before what has no room', () => {
  const files = new Files(1, 4 * MiB);
  const gathered = new GatheredWrites(files, Int32Array.of(2));
  const memory = Buffer.alloc(2 * MiB, 1);
  expect(gathered.reserve([memory.length])).toEqual([undefined]);
  gathered.add(0, 0, memory);
  expect(gathered.reserve([memory.length])).toEqual([undefined]);
  gathered.add(0, memory.length, memory.fill(2));
  gathered.flush();
  expect([files.contents[0]![0], files.contents[0]![2 * MiB]]).toEqual([1, 2]);
});

it('writes what was put into the room that was reserved for it, in whatever order and sizes', () => {
  const pieces = fc.array(
    fc.record({ file: fc.nat(2), gap: fc.constantFrom(0, 0, 0, 5), length: fc.nat(400_000), isOwn: fc.boolean() }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(pieces, (places) => {
      const [files, expected] = [new Files(3, 16 * MiB), new Files(3, 16 * MiB)];
      const missing = Int32Array.from([0, 1, 2], (file) => places.filter((place) => place.file === file).length);
      const gathered = new GatheredWrites(files, missing);
      const ends = [0, 0, 0];
      for (const [at, { file, gap, length, isOwn }] of places.entries()) {
        const room = isOwn ? Buffer.alloc(length) : gathered.reserve([length])[0]!;
        expect(room.length).toBe(length);
        room.fill(at + 1);
        const position = ends[file]! + gap;
        gathered.add(file, position, room);
        Buffer.alloc(length, at + 1).copy(expected.contents[file]!, position);
        ends[file] = position + length;
      }
      gathered.flush();
      for (const file of [0, 1, 2]) expect(files.contents[file]!.equals(expected.contents[file]!)).toBe(true);
      expect(files.finished.toSorted()).toEqual([...new Set(places.map(({ file }) => file))].toSorted());
    }),
    { numRuns: 60 },
  );
});
