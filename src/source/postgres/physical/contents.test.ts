import { describe, expect, it } from 'vitest';
import { type ContentsSeen, lastingContents } from './contents.ts';

type Table = ContentsSeen['tables'] extends Map<string, infer T> ? T : never;

const table = (more: Partial<Table> = {}): Table => ({
  name: 'public.orders',
  file: '1',
  live: 5000,
  deleted: 0,
  ...more,
});
const seen = (tables: [string, Table][], databases: [string, string][] = []): ContentsSeen => ({
  databases: new Map(databases),
  tables: new Map(tables),
  isCapped: false,
});
const lastingOf = (more: Partial<Table>, oid = '10') =>
  lastingContents(seen([['10', table()]]), seen([[oid, table(more)]])).tables;

describe('what lasts over a backup', () => {
  it('is what has the same oid and the same name at both looks', () => {
    expect(lastingOf({})).toEqual([{ name: 'public.orders', rows: 5000 }]);
    expect(lastingOf({}, '11')).toEqual([]);
    expect(lastingOf({ name: 'public.other' })).toEqual([]);
    const [was, is] = [
      seen(
        [],
        [
          ['1', 'a'],
          ['2', 'b'],
        ],
      ),
      seen(
        [],
        [
          ['1', 'a'],
          ['3', 'b'],
        ],
      ),
    ];
    expect(lastingContents(was, is).databases).toEqual(['a']);
  });

  it('has no rows for sure where they may have been gone in between', () => {
    expect(lastingOf({ file: '2' })).toEqual([{ name: 'public.orders' }]);
    expect(lastingOf({ deleted: 5000 })).toEqual([{ name: 'public.orders' }]);
    expect(lastingOf({ deleted: 4000, live: 1200 })).toEqual([{ name: 'public.orders', rows: 1200 }]);
    expect(lastingOf({ live: undefined })).toEqual([{ name: 'public.orders' }]);
  });
});
