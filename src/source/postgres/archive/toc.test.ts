import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startTestServer } from '../../../../test/support/postgres.ts';
import { runPostgresProgram } from '../../../../test/support/postgres-source.ts';
import { requires } from '../../../../test/support/requirements.ts';
import { isHoldfastError } from '../../../foundation/errors.ts';
import { addTableData } from './add-table-data.ts';
import { readToc } from './read-toc.ts';
import { type ArchiveToc, archiveVersion, SECTION, type TocEntry, textOf } from './toc.ts';
import { writeToc } from './write-toc.ts';

const integer = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const text = fc.option(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  { nil: null },
);

function entry(minor: number): fc.Arbitrary<TocEntry> {
  return fc.record({
    dumpId: integer,
    hadDumper: integer,
    tableOid: text,
    oid: text,
    tag: text,
    description: text,
    section: integer,
    definition: text,
    dropStatement: text,
    copyStatement: text,
    namespace: text,
    tablespace: text,
    tableAccessMethod: text,
    relationKind: minor >= 16 ? integer : fc.constant(0),
    owner: text,
    withOids: text,
    dependencies: fc.array(
      fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
      { maxLength: 3 },
    ),
    fileName: text,
  });
}

const toc = fc.constantFrom(14, 15, 16).chain(
  (minor): fc.Arbitrary<ArchiveToc> =>
    fc.record({
      version: fc.record({
        major: fc.constant(1),
        minor: fc.constant(minor),
        revision: fc.integer({ min: 0, max: 255 }),
      }),
      offsetBytes: fc.integer({ min: 0, max: 255 }),
      compression: minor >= 15 ? fc.integer({ min: 0, max: 255 }) : integer,
      createdAt: fc.array(integer, { minLength: 7, maxLength: 7 }),
      databaseName: text,
      serverVersion: text,
      dumpVersion: text,
      entries: fc.array(entry(minor), { maxLength: 4 }),
    }),
);

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return error.code;
  }
}

const example: ArchiveToc = fc.sample(toc, { numRuns: 40, seed: 3 }).find(({ entries }) => entries.length > 1)!;

describe('the table of contents of an archive', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(toc, (any) => {
        expect(readToc(writeToc(any))).toEqual(any);
      }),
    );
  });

  it('refuses a file that ends too early, wherever that is, and one that goes on', () => {
    fc.assert(
      fc.property(toc, (any) => {
        const bytes = writeToc(any);
        for (let length = 0; length < bytes.length; length++) {
          expect(codeOf(() => readToc(bytes.subarray(0, length)))).toBe('archive-damaged');
        }
        expect(codeOf(() => readToc(Buffer.concat([bytes, Buffer.of(0)])))).toBe('archive-damaged');
      }),
      { numRuns: 20 },
    );
  });

  it('reads or refuses any bytes, and never runs out of memory', () => {
    const header = writeToc({ ...example, entries: [] });
    const damage = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 5 }), (damages) => {
        const bytes = writeToc(example);
        for (const { at, byte } of damages) bytes[at % bytes.length] = byte;
        expect(['none', 'archive-damaged', 'archive-unsupported']).toContain(codeOf(() => readToc(bytes)));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => {
        const bytes = Buffer.concat([header.subarray(0, -5), tail]);
        expect(['none', 'archive-damaged']).toContain(codeOf(() => readToc(bytes)));
      }),
    );
  });

  it.each([
    ['a huge number of entries', [0, 0xff, 0xff, 0xff, 0xff]],
    ['a negative number of entries', [1, 1, 0, 0, 0]],
    ['more entries than bytes', [0, 2, 0, 0, 0]],
  ])('refuses %s', (_, count) => {
    const bytes = writeToc({ ...example, entries: [] });
    bytes.set(count, bytes.length - 5);
    expect(codeOf(() => readToc(bytes))).toBe('archive-damaged');
  });

  it.each([
    ['an older archive', 6, 13],
    ['a newer archive', 6, 17],
    ['another major version', 5, 2],
    ['integers of 8 bytes', 8, 8],
    ['another format', 10, 1],
  ])('refuses %s as one that it does not know', (_, at, byte) => {
    const bytes = writeToc(example);
    bytes[at] = byte;
    expect(codeOf(() => readToc(bytes))).toBe('archive-unsupported');
  });

  it('gets the rows of tables between definitions and everything else, and says which have no definition', () => {
    const blank = { ...example.entries[0]!, dependencies: [] };
    const given = (dumpId: number, description: string, oid: string, section: number): TocEntry => ({
      ...blank,
      ...{ dumpId, section, oid: Buffer.from(oid), description: Buffer.from(description) },
    });
    const before = {
      ...example,
      entries: [
        given(7, 'TABLE', '100', SECTION.preData),
        given(8, 'ACL', '0', SECTION.none),
        given(3, 'SEQUENCE', '101', SECTION.preData),
        given(2, 'SEQUENCE SET', '101', SECTION.data),
        given(1, 'INDEX', '102', SECTION.postData),
      ],
    };
    const copyStatement = Buffer.from('COPY …');
    const tables = [100, 101, 555].map((oid) => ({ oid, copyStatement, fileName: `${oid}.dat` }));
    const { toc: after, missing } = addTableData(before, tables);
    expect(missing).toEqual([tables[1], tables[2]]);
    const summary = after.entries.map(({ dumpId, description }) => `${dumpId} ${textOf(description)}`);
    expect(summary).toEqual(['7 TABLE', '8 ACL', '3 SEQUENCE', '9 TABLE DATA', '2 SEQUENCE SET', '1 INDEX']);
    expect(after.entries[3]).toMatchObject({ section: SECTION.data, dependencies: [Buffer.from('7')], copyStatement });
    expect(before.entries).toHaveLength(5);
  });
});

describe.skipIf(!requires('postgresql', 'pg_dump'))('the table of contents that pg_dump writes', () => {
  it('is written again byte for byte', async () => {
    const server = await startTestServer();
    try {
      const url = await server.createDatabase('shop');
      await server.query(
        'shop',
        `CREATE TABLE "é" (id serial PRIMARY KEY); COMMENT ON TABLE "é" IS ''; SELECT lo_create(5)`,
      );
      const directory = join(mkdtempSync(join(tmpdir(), 'toc-')), 'archive');
      await runPostgresProgram('pg_dump', ['--format=directory', `--file=${directory}`, `--dbname=${url}`]);
      const bytes = readFileSync(join(directory, 'toc.dat'));
      const read = readToc(bytes);
      expect(archiveVersion(read)).toMatch(/^1\.1[4-6]$/);
      expect(read.entries.map(({ tag }) => textOf(tag))).toContain('é');
      expect(writeToc(read).equals(bytes)).toBe(true);
    } finally {
      await server.stop();
    }
  });
});
