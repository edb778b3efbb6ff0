import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import {
  type CapturedSnapshot,
  capture,
  dumpText,
  failures,
  restore,
  runPostgresProgram,
  scratch,
  validate,
} from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const everything = readFileSync(new URL('./everything.sql', import.meta.url), 'utf8');
const ROLES = 'CREATE ROLE app_owner; CREATE ROLE app_reader; CREATE ROLE "Größe Rolle"';

describe.skipIf(!requires('postgresql', 'pg_dump'))('a database with one of everything', () => {
  let server: TestServer;
  let url: string;
  let snapshot: CapturedSnapshot;
  let expected: string;

  beforeAll(async () => {
    server = await startTestServer({ settings: { wal_level: 'logical' } });
    await server.query('postgres', ROLES);
    url = await server.createDatabase('everything', `TEMPLATE template0 LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'`);
    await server.query('everything', everything);
    await server.query(
      'postgres',
      `ALTER DATABASE everything SET search_path TO "Ünï ""quoted"".schema", shop, public`,
    );
    await server.query('postgres', `ALTER DATABASE everything SET work_mem TO '5MB'`);
    await server.query('postgres', `ALTER DATABASE everything SET "my.Setting" TO 'it''s, \\ one'`);
    snapshot = await capture(url);
    expected = await dumpText(url);
  });
  afterAll(() => server?.stop());

  it('is captured without a problem, every table with its rows', () => {
    const { problems, manifest } = snapshot.capture;
    expect(problems).toEqual([]);
    const tables = (manifest.details as { tables: { name: string; rows: number }[] }).tables;
    expect(tables.find(({ name }) => name === 'no_columns')).toMatchObject({ rows: 2 });
    expect(tables.find(({ name }) => name === 'with_serial')).toMatchObject({ rows: 33 });
    expect(tables.find(({ name }) => name === 'widest')).toMatchObject({ rows: 1 });
    expect(tables).toHaveLength(24);
  });

  it.each([
    ['one by one', []],
    ['in parallel', ['--jobs=2']],
  ])('is restored by stock pg_restore, %s', async (how, jobs) => {
    const name = `stock ${how}`;
    const target = await server.createDatabase(name, `TEMPLATE template0 LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'`);
    const directory = `${scratch()}/archive`;
    await restore(snapshot, { kind: 'directory', path: directory });
    await runPostgresProgram('pg_restore', ['--exit-on-error', ...jobs, `--dbname=${target}`, directory]);
    expect(await dumpText(target)).toBe(expected);
    expect(failures(await validate(snapshot, target))).toEqual([]);
  });

  it('is restored into a database that is made with the encoding, locale and settings', async () => {
    const target = server.url('made here');
    const { notes } = await restore(snapshot, target);
    expect(notes).toEqual([]);
    expect(await dumpText(target)).toBe(expected);
    expect(failures(await validate(snapshot, target))).toEqual([]);
    const [made] = await server.query(
      'made here',
      `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate,
         current_setting('search_path') AS path, current_setting('work_mem') AS memory, current_setting('my.Setting') AS mine
       FROM pg_database WHERE datname = current_database()`,
    );
    expect(made).toEqual({
      ...{ encoding: 'UTF8', collate: 'C.UTF-8', memory: '5MB', mine: "it's, \\ one" },
      path: '"Ünï ""quoted"".schema", shop, public',
    });
  });

  it('is restored into a database that is there and empty', async () => {
    const target = await server.createDatabase('there', 'TEMPLATE template0');
    await restore(snapshot, target);
    expect(await dumpText(target)).toBe(expected);
    expect(failures(await validate(snapshot, target))).toEqual([]);
  });

  it('gives the same archive when a restored copy is captured', async () => {
    const again = await capture(server.url('made here'));
    // The names of files may have object ids in them, which are others in a copy.
    const tablesOf = ({ capture: { manifest } }: CapturedSnapshot) =>
      (manifest.details['tables'] as object[]).map((table) => ({ ...table, file: undefined }));
    expect(tablesOf(again)).toEqual(tablesOf(snapshot));
    expect(again.capture.manifest.details['largeObjects']).toEqual(snapshot.capture.manifest.details['largeObjects']);
  });
});
