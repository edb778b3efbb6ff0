import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowDigest } from './row-digest.ts';
import { joinParts, type NamedTable, partStatement, partsOf } from './table-parts.ts';

const MB = 1 << 20;

function table(sizeBytes: number, more: Partial<NamedTable> = {}): NamedTable {
  return {
    ...{ oid: 1, schema: 'public', name: 't', qualified: 'public.t', columnList: '(a, "B")', columns: ['a', 'B'] },
    ...{ copyStatement: Buffer.alloc(0), pattern: '"public"."t"', fileName: 'public.t.dat' },
    ...{ sizeBytes, blocks: Math.ceil(sizeBytes / 8192), isUnlogged: false },
    ...more,
  };
}

const ranges = (of: NamedTable, version = 15) => partsOf([of], version, 128 * MB).map(({ blocks }) => blocks);

describe('the parts of a table', () => {
  it('are one where the table is small, or cannot be read by ranges', () => {
    for (const whole of [table(0), table(128 * MB), table(900 * MB, { blocks: 0 }), table(900 * MB, { columns: [] })]) {
      expect(ranges(whole)).toEqual([undefined]);
    }
    expect(ranges(table(900 * MB), 13)).toEqual([undefined]);
  });

  it('take in every block once, the last one whatever comes after', () => {
    fc.assert(
      fc.property(fc.integer({ min: 129, max: 8_000_000 }), fc.integer({ min: 1, max: 100 }), (megabytes, thinner) => {
        const large = table(megabytes * MB);
        const parts = ranges({ ...large, blocks: Math.ceil(large.blocks / thinner) });
        expect(parts.length).toBeLessThanOrEqual(1024);
        expect(parts[0]!.from).toBe(0);
        for (const [index, part] of parts.entries()) expect(part!.to).toBe(parts[index + 1]?.from);
      }),
    );
  });

  it('are cut where they were cut before when a table grows', () => {
    const before = ranges(table(1000 * MB));
    const after = ranges(table(1100 * MB));
    expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
    expect(before[0]).toEqual({ from: 0, to: 16_384 });
  });

  it('are read by the range of their blocks', () => {
    const [first, , last] = partsOf([table(300 * MB)], 14, 128 * MB);
    expect(partStatement(first!, 'UTF8')).toBe(
      `COPY (SELECT a, "B" FROM ONLY public.t WHERE ctid >= '(0,0)' AND ctid < '(16384,0)') TO STDOUT WITH (ENCODING 'UTF8')`,
    );
    expect(partStatement(last!, 'UTF8')).toBe(
      `COPY (SELECT a, "B" FROM ONLY public.t WHERE ctid >= '(32768,0)') TO STDOUT WITH (ENCODING 'UTF8')`,
    );
  });

  it('are put together in order, with the digest of all rows', () => {
    const rows = Array.from({ length: 300 }, (_, row) => Buffer.from(`row ${row}\n`));
    const whole = new RowDigest();
    for (const row of rows) whole.update(row);
    const parts = partsOf([table(300 * MB)], 15, 128 * MB).map((part) => {
      const digest = new RowDigest();
      for (const row of rows.slice(part.index * 100, part.index * 100 + 100)) digest.update(row);
      return { part, digest, stored: { content: [`blob ${part.index}`], sizeBytes: 10 } };
    });
    const [joined] = joinParts(parts.toReversed());
    expect(joined!.stored).toEqual({ content: ['blob 0', 'blob 1', 'blob 2'], sizeBytes: 30 });
    expect([joined!.digest.rows, joined!.digest.bytes]).toEqual([whole.rows, whole.bytes]);
    expect(joined!.digest.digest()).toBe(whole.digest());
  });
});
