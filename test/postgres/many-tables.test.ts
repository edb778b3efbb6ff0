import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { capture, failures, restore, validate } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

/** More than pg_dump can be told to leave out. */
const TABLES = 2050;

describe.skipIf(!requires('postgresql', 'pg_dump'))('a database with very many tables', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ settings: { max_locks_per_transaction: 256 } });
  });
  afterAll(() => server?.stop());

  it('is captured and proven whole, with the tables that pg_dump copies', async () => {
    const url = await server.createDatabase('many');
    await server.query(
      'many',
      `DO $$ BEGIN FOR n IN 1..${TABLES} LOOP
         EXECUTE format('CREATE TABLE t%s AS SELECT %s AS a, ''row'' AS b', n, n);
       END LOOP; END $$`,
    );
    const snapshot = await capture(url);
    expect(snapshot.capture.problems).toEqual([]);
    const tables = snapshot.capture.manifest.details['tables'] as { rows: number; digest: string }[];
    expect(tables.map(({ rows }) => rows)).toEqual(new Array(TABLES).fill(1));
    expect(new Set(tables.map(({ digest }) => digest)).size).toBe(TABLES);
    const target = server.url('copy');
    await restore(snapshot, target);
    await server.query('copy', `UPDATE t${TABLES} SET b = 'other'; DELETE FROM t1`);
    expect(failures(await validate(snapshot, target))).toEqual([
      expect.stringMatching(/^rows public\.t1: /),
      expect.stringMatching(new RegExp(`^rows public\\.t${TABLES}: `)),
    ]);
  });
});
