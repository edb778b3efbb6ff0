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
