import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync, type writevSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { writeAt } from './write-at.ts';

/** A system that takes so many bytes at most at once. */
function takingAtMost(sizeBytes: number) {
  const calls: number[] = [];
  const write = (descriptor: number, bytes: Buffer, from: number, length: number, position: number): number => {
    calls.push(length);
    return writeSync(descriptor, bytes, from, Math.min(length, sizeBytes), position);
  };
  const writev = (descriptor: number, pieces: readonly Buffer[], position: number): number => {
    const all = Buffer.concat(pieces);
    calls.push(all.length);
    return writeSync(descriptor, all, 0, Math.min(all.length, sizeBytes), position);
  };
  return { calls, writeSync: write as typeof writeSync, writevSync: writev as typeof writevSync };
}

it('writes all of it where the system takes a part only', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-write-at-'));
  const lengths = fc.array(fc.nat(20), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 50 }), fc.nat(5), (lengths, sizeBytes, position) => {
      const pieces = lengths.map((length, at) => Buffer.alloc(length, at + 1));
      const path = join(directory, 'file');
      const descriptor = openSync(path, 'w');
      const written = writeAt(descriptor, pieces, position, takingAtMost(sizeBytes));
      closeSync(descriptor);
      const expected = Buffer.concat([Buffer.alloc(position), ...pieces]);
      expect(written).toBe(expected.length - position);
      if (written > 0) expect(readFileSync(path)).toEqual(expected);
    }),
  );
  rmSync(directory, { recursive: true });
});

it('writes many pieces at once', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-write-at-'));
  const descriptor = openSync(join(directory, 'file'), 'w');
  const system = takingAtMost(1000);
  writeAt(descriptor, [Buffer.alloc(10), Buffer.alloc(20), Buffer.alloc(30)], 0, system);
  closeSync(descriptor);
  expect(system.calls).toEqual([60]);
  rmSync(directory, { recursive: true });
});
