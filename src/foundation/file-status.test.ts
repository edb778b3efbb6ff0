import type { BigIntStats } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { putStats, StatusRecord, statusAt } from './file-status.ts';

const unsigned = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });
const time = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

it('a record says what was put into it, however large it is', () => {
  const statuses = fc.record({
    ...{ dev: unsigned(64), ino: unsigned(64), mode: unsigned(16), nlink: unsigned(32) },
    ...{ uid: unsigned(32), gid: unsigned(32), size: unsigned(63), mtimeNs: time, ctimeNs: time },
  });
  fc.assert(
    fc.property(statuses, (status) => {
      const record = new StatusRecord();
      putStats(record, status as BigIntStats);
      const said = Object.entries(statusAt(record.words));
      expect(Object.fromEntries(said.map(([name, value]) => [name, BigInt(value)]))).toEqual(status);
      // What is no BigInt is exact.
      for (const [, value] of said) expect(typeof value === 'bigint' || Number.isSafeInteger(value)).toBe(true);
    }),
  );
});

it('two records tell the same content where size and time of change are the same, and only there', () => {
  const some = fc.record({
    size: fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 32n + 1n),
    mtimeNs: fc.constantFrom(0n, 1n, 1_000_000_000n, 1_000_000_001n, -1n, 2n ** 32n * 1_000_000_000n),
  });
  const recordOf = (status: object): StatusRecord => {
    const record = new StatusRecord();
    const rest = { dev: 1n, ino: 2n, mode: 3n, nlink: 4n, uid: 5n, gid: 6n, ctimeNs: 7n };
    putStats(record, { ...rest, ...status } as BigIntStats);
    return record;
  };
  fc.assert(
    fc.property(some, some, (one, other) => {
      const isSame = one.size === other.size && one.mtimeNs === other.mtimeNs;
      expect(recordOf(one).tellsSameContent(recordOf({ ...other, ctimeNs: 8n }))).toBe(isSame);
    }),
    { numRuns: 1000 },
  );
});
