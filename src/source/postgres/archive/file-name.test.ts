import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tableFileName } from './file-name.ts';

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 63 });

describe("the name of a table's file", () => {
  it("is the table's own where that is plain", () => {
    expect(tableFileName('public', 'orders_2024', 1, new Set())).toBe('public.orders_2024.dat');
    expect(tableFileName('my schema', 'a/../b.é', 1, new Set())).toBe('my%20schema.a%2F%2E%2E%2Fb%2E%C3%A9.dat');
  });

  it('is unique even where upper and lower case are one, safe, and not too long', () => {
    const tables = fc.uniqueArray(fc.tuple(fc.constantFrom('public', 'Public', 'pub.lic', 'PUBLIC'), name), {
      selector: (pair) => pair.join('\0'),
      maxLength: 30,
    });
    fc.assert(
      fc.property(tables, (list) => {
        const taken = new Set<string>();
        const names = list.map(([schema, table], oid) => tableFileName(schema, table, oid, taken));
        expect(new Set(names.map((each) => each.toLowerCase())).size).toBe(list.length);
        for (const each of names) {
          expect(each).toMatch(/^[A-Za-z0-9_.%~-]+\.dat$/);
          expect(each.replaceAll(/%[0-9A-F]{2}/g, '')).not.toContain('%');
          expect(Buffer.byteLength(each)).toBeLessThanOrEqual(200);
        }
      }),
    );
  });

  it('tells long names apart by the object id', () => {
    const taken = new Set<string>();
    const names = ['a', 'b'].map((end, oid) =>
      tableFileName('ж'.repeat(31), 'ж'.repeat(30) + end, oid + 4_294_967_290, taken),
    );
    expect(new Set(names).size).toBe(2);
    expect(Math.max(...names.map(({ length }) => length))).toBeGreaterThan(190);
  });

  it('never clashes with the files of pg_dump itself', () => {
    const taken = new Set<string>();
    for (const table of ['toc', 'blobs', 'blob_1', '3045']) {
      expect(tableFileName('public', table, 1, taken)).not.toMatch(/^(toc|blobs|blob_\d+|\d+)\.(dat|toc)$/);
    }
  });
});
