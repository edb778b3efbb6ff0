import { describe, expect, it } from 'vitest';
import type { ArchiveToc, TocEntry } from './archive/toc.ts';
import { compareSchemas as compare, schemaCheck } from './compare-schema.ts';

const text = (value: string) => Buffer.from(value);
const compareSchemas = (expected: ArchiveToc, found: ArchiveToc) => schemaCheck(compare(expected, found));

function entry(description: string, tag: string, definition: string, more: Partial<TocEntry> = {}): TocEntry {
  return {
    ...{ dumpId: 1, hadDumper: 0, tableOid: null, oid: null, section: 2, dropStatement: null, copyStatement: null },
    ...{ tablespace: null, tableAccessMethod: null, relationKind: 0, withOids: null, dependencies: [], fileName: null },
    ...{ tag: text(tag), description: text(description), definition: text(definition) },
    ...{ namespace: text('public'), owner: text('me') },
    ...more,
  };
}

function toc(...entries: TocEntry[]): ArchiveToc {
  return writtenBy('15.14', '15.14', ...entries);
}

function writtenBy(serverVersion: string, dumpVersion: string, ...entries: TocEntry[]): ArchiveToc {
  const version = { major: 1, minor: 14, revision: 0 };
  const names = { databaseName: null, serverVersion: text(serverVersion), dumpVersion: text(dumpVersion) };
  return { version, offsetBytes: 8, compression: 0, createdAt: [], ...names, entries };
}

const a = entry('TABLE', 'a', 'CREATE TABLE a');
const b = entry('TABLE', 'b', 'CREATE TABLE b');

describe('the comparison of two schemas', () => {
  it('takes the same definitions in another order for equal', () => {
    expect(compareSchemas(toc(a, b), toc(b, a))).toEqual({
      name: 'schema',
      result: 'passed',
      detail: '2 definitions, all equal',
    });
  });

  it.each([
    ['is missing', toc(a), 'TABLE public b is missing'],
    ['is too many', toc(a, b, entry('INDEX', 'i', 'x')), 'INDEX public i was not in the snapshot'],
    ['differs', toc(a, entry('TABLE', 'b', 'CREATE TABLE b ()')), 'TABLE public b differs'],
    ['has another owner', toc(a, { ...b, owner: text('you') }), 'TABLE public b differs'],
    ['has another access method', toc(a, { ...b, tableAccessMethod: text('columnar') }), 'TABLE public b differs'],
    ['is there twice', toc(a, b, b), 'TABLE public b is missing; TABLE public b (1) was not'],
  ])('finds a definition that %s', (_, found, detail) => {
    const check = compareSchemas(toc(a, b), found);
    expect(check.result).toBe('failed');
    expect(check.detail).toContain(detail);
  });

  it('tells overloads apart that share a name', () => {
    const one = entry('FUNCTION', 'f', 'first');
    const two = entry('FUNCTION', 'f', 'second');
    expect(compareSchemas(toc(one, two), toc(two, one)).result).toBe('passed');
    expect(compareSchemas(toc(one, two), toc(one, one)).result).toBe('failed');
  });

  it('takes no notice of rows, nor of what belongs to the server', () => {
    const noise = ['TABLE DATA', 'BLOBS', 'ENCODING', 'STDSTRINGS', 'SEARCHPATH', 'DATABASE'].map((kind) =>
      entry(kind, 'x', kind),
    );
    expect(compareSchemas(toc(a, ...noise), toc(a)).result).toBe('passed');
  });

  it('names a few differences and counts the others', () => {
    const many = Array.from({ length: 9 }, (_, n) => entry('TABLE', `t${n}`, 'x'));
    expect(compareSchemas(toc(...many), toc()).detail).toMatch(/t4 is missing, and 4 more$/);
  });

  it('tells letters apart that are no UTF-8', () => {
    const latin = (letter: number) => entry('FUNCTION', 'f', '', { definition: Buffer.of(letter) });
    expect(compareSchemas(toc(latin(0xe9)), toc(latin(0xe8))).result).toBe('failed');
  });

  it('takes a cast of an array for the same when it comes back as an array of casts', () => {
    const check = (list: string) => entry('INDEX', 'i', `CREATE INDEX i ON t (x) WHERE (s = ANY (${list}))`);
    const before = toc(check("(ARRAY['a'::character varying])::text[]"));
    expect(compareSchemas(before, toc(check("ARRAY[('a'::character varying)::text]"))).result).toBe('passed');
    expect(compareSchemas(before, toc(check("ARRAY[('b'::character varying)::text]"))).result).toBe('failed');
  });

  describe('across major versions, which write the same things otherwise', () => {
    const before = writtenBy('15.14 (Debian 15.14-1)', '15.14', a, b, entry('BLOB', '7', 'x'));
    const found = (...entries: TocEntry[]) => compareSchemas(before, writtenBy('18.1', '18.1', ...entries));

    it('holds names, owners and values of sequences together, and says so', () => {
      const check = found(a, entry('TABLE', 'b', 'CREATE TABLE b -- by 18'), entry('BLOB METADATA', '7..9', 'y'));
      expect(check.result).toBe('passed');
      expect(check.detail).toBe(
        '2 definitions, all there with their owners; PostgreSQL 18 writes them otherwise than 15, so that their texts were not compared',
      );
    });

    it('finds what is missing, belongs to somebody else or counts from another value', () => {
      expect(found(a).detail).toBe('TABLE public b is missing');
      expect(found(a, { ...b, owner: text('you') }).detail).toBe('TABLE public b differs');
      const sequence = (value: number) => entry('SEQUENCE SET', 's', `SELECT pg_catalog.setval('s', ${value}, true)`);
      const check = compareSchemas(writtenBy('15.1', '15.1', sequence(1)), writtenBy('15.1', '17.1', sequence(2)));
      expect(check.detail).toBe('SEQUENCE SET public s differs');
    });
  });
});
