import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import type { LoadableDatabase, LoadableTable } from '../../src/source/postgres/loadable.ts';
import { parseLocation } from '../../src/source/postgres/location.ts';
import { Session } from '../../src/source/postgres/session.ts';
import { TableLoad } from '../../src/source/postgres/table-load.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { capture, failures, restore, runPostgresProgram, validate } from '../support/postgres-source.ts';
import { readFiles } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

/** Tables of many blocks, with gaps, rows outside of their blocks, rows that moved, and ranges without any row. */
const LARGE = `
  CREATE TABLE large (id int PRIMARY KEY, "a, b" text, twice int GENERATED ALWAYS AS (id * 2) STORED);
  INSERT INTO large SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 20000) AS n;
  DELETE FROM large WHERE id BETWEEN 4000 AND 9000 OR id % 7 = 0;
  UPDATE large SET "a, b" = 'moved' WHERE id % 11 = 0;
  CREATE TABLE wide (id int, document text);
  ALTER TABLE wide ALTER document SET STORAGE EXTERNAL;
  INSERT INTO wide SELECT n, repeat(md5(n::text), 1000) FROM generate_series(1, 200) AS n;
  CREATE TABLE measured (day date, value int) PARTITION BY RANGE (day);
  CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  INSERT INTO measured SELECT '2024-01-01'::date + n % 365, n FROM generate_series(1, 30000) AS n;
  CREATE TABLE emptied (id int, filler text);
  INSERT INTO emptied SELECT n, repeat('x', 500) FROM generate_series(1, 3000) AS n;
  DELETE FROM emptied;
  CREATE TABLE small (id int); INSERT INTO small VALUES (1);`;

const PART_BYTES = 128 * 1024;

describe.skipIf(!requires('postgresql', 'pg_dump'))('a large table', () => {
  let server: TestServer;
  let url: string;

  beforeAll(async () => {
    server = await startTestServer();
    url = await server.createDatabase('large');
    await server.query('large', LARGE);
  });
  afterAll(() => server?.stop());

  it('is read in parts, and the archive is the same as in one', async () => {
    const whole = await capture(url);
    const inParts = await capture(url, { partBytes: PART_BYTES });
    expect(inParts.capture.manifest.details['tables']).toEqual(whole.capture.manifest.details['tables']);
    const files = await readFiles(inParts.repository);
    for (const [name, bytes] of await readFiles(whole.repository)) {
      if (name.startsWith('data/public.')) expect(files.get(name)?.equals(bytes), name).toBe(true);
    }
    expect(failures(await validate(inParts, url))).toEqual([]);
    await restore(inParts, server.url('back'));
    expect(failures(await validate(whole, server.url('back')))).toEqual([]);
  });

  it('is loaded over several connections, each row once', async () => {
    await server.createDatabase('shared', 'TEMPLATE template0');
    await server.query('shared', 'CREATE TABLE "Long" (id int, filler text)');
    const location = parseLocation(server.url('shared'));
    const rows = Array.from({ length: 50_000 }, (_, id) => `${id}\t${'x'.repeat(300)}\n`);
    const isLoadedBy = (count: number) => async () => {
      const [under] = await server.query('shared', 'SELECT count(*)::int AS way FROM pg_stat_progress_copy');
      expect(under).toEqual({ way: count });
    };
    const bytes = async function* () {
      for (let at = 0; at < rows.length; at += 1000) {
        // What the first one takes is not all: the others are there before it comes for more.
        if (at === 15_000) await vi.waitFor(isLoadedBy(3), { timeout: 30_000 });
        yield Buffer.from(rows.slice(at, at + 1000).join(''));
      }
    };
    const table = { schema: 'public', name: 'Long', columns: ['id', 'filler'], bytes: 2 ** 30 } as LoadableTable;
    const database = {
      facts: { encoding: 'UTF8' },
      rowsOf: () => ({ bytes: bytes(), count: () => rows.length }),
    } as unknown as LoadableDatabase;
    const load = new TableLoad(table, database, noProgress);
    const signal = new AbortController().signal;
    const sessions = await Promise.all([1, 2, 3].map(() => Session.open(location, { side: 'target', signal })));
    await Promise.all(sessions.map((session) => load.loadOver(session)));
    await Promise.all(sessions.map((session) => session.close()));
    const counted =
      'SELECT count(DISTINCT id)::int AS ids, count(*)::int AS rows, count(DISTINCT xmin::text)::int AS loads FROM "Long"';
    expect(await server.query('shared', counted)).toEqual([{ ids: 50_000, rows: 50_000, loads: 3 }]);
  });

  it('is restored by stock pg_restore', async () => {
    const snapshot = await capture(url, { partBytes: PART_BYTES });
    const archive = join(mkdtempSync(join(tmpdir(), 'large-')), 'archive');
    await restore(snapshot, { kind: 'directory', path: archive });
    await server.createDatabase('stock');
    await runPostgresProgram('pg_restore', ['--exit-on-error', `--dbname=${server.url('stock')}`, archive]);
    expect(failures(await validate(snapshot, server.url('stock')))).toEqual([]);
  });

  it('is of one moment, though rows come, go and move while its parts are read', async () => {
    await server.createDatabase('hot', 'TEMPLATE large');
    const client = new pg.Client({ connectionString: server.url('hot') });
    await client.connect();
    let going = true;
    const writing = (async () => {
      for (let round = 0; going; round++) {
        await client.query(
          `WITH gone AS (DELETE FROM large WHERE id IN (SELECT id FROM large ORDER BY ctid LIMIT 50) RETURNING id)
           INSERT INTO large SELECT 1000000 + ${round * 50} + row_number() OVER (), 'new' FROM gone`,
        );
      }
    })();
    try {
      const [{ count }] = (await server.query('hot', 'SELECT count(*)::int AS count FROM large')) as [
        { count: number },
      ];
      const snapshot = await capture(server.url('hot'), { partBytes: PART_BYTES });
      const tables = snapshot.capture.manifest.details['tables'] as { name: string; rows: number }[];
      expect(tables.find(({ name }) => name === 'large')?.rows).toBe(count);
    } finally {
      going = false;
      await writing;
      await client.end();
    }
  });
});
