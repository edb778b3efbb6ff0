import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { findPostgresPrograms } from '../../src/foundation/postgres-programs.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import {
  type CapturedSnapshot,
  capture,
  databaseTarget,
  failure,
  failures,
  restore,
  validate,
} from '../support/postgres-source.ts';
import { afterBytes, inPhase } from '../support/progress.ts';
import { requires, skipWithout } from '../support/requirements.ts';

const SHOP = `
  CREATE EXTENSION pg_trgm; COMMENT ON EXTENSION pg_trgm IS 'of our own';
  CREATE TABLE customers (id int PRIMARY KEY, name text);
  INSERT INTO customers SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n;
  CREATE TABLE large (id int, body text);
  INSERT INTO large SELECT n, repeat('x', 20000) FROM generate_series(1, 3000) AS n;
  ALTER TABLE large ALTER COLUMN body SET STORAGE EXTERNAL;
  CREATE INDEX by_id ON large (id);
  ALTER TABLE customers OWNER TO "Sales; team";
  GRANT SELECT ON large TO reader;`;

/** Nothing in it needs a superuser. */
const PLAIN = `
  CREATE EXTENSION pg_trgm;
  CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, name text); INSERT INTO t (name) VALUES ('a'), ('b');
  CREATE INDEX ON t USING gin (name gin_trgm_ops);
  SELECT lo_from_bytea(4711, 'x');`;

describe.skipIf(!requires('postgresql', 'pg_dump'))('a restore', () => {
  let server: TestServer;
  let other: TestServer;
  let snapshot: CapturedSnapshot;
  let plain: CapturedSnapshot;

  beforeAll(async () => {
    [server, other] = await Promise.all([startTestServer(), startTestServer({ superuser: 'root admin' })]);
    await server.query('postgres', 'CREATE ROLE "Sales; team"; CREATE ROLE reader');
    await server.query('postgres', 'CREATE ROLE owner LOGIN CREATEDB');
    snapshot = await server.createDatabase('shop').then(async (url) => {
      await server.query('shop', SHOP);
      return capture(url);
    });
    await server.query('postgres', 'CREATE DATABASE plain OWNER owner');
    const session = `SET SESSION AUTHORIZATION owner; ${PLAIN}`;
    await server.query('plain', session);
    plain = await capture(server.url('plain'));
  });
  afterAll(() => Promise.all([server?.stop(), other?.stop()]));

  describe('refuses a target that is not empty', () => {
    it.each([
      ['a table', 'CREATE TABLE "A table" ()', 'public."A table"'],
      ['a partitioned table', 'CREATE TABLE p (i int) PARTITION BY LIST (i)', 'public.p'],
      ['a view', 'CREATE VIEW v AS SELECT 1', 'public.v'],
      ['a materialised view', 'CREATE MATERIALIZED VIEW m AS SELECT 1', 'public.m'],
      ['a sequence', 'CREATE SEQUENCE s', 'public.s'],
      ['a function', 'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', 'public.f()'],
      ['an enum', `CREATE TYPE e AS ENUM ('a')`, 'public.e'],
      ['a domain', 'CREATE DOMAIN d AS int', 'public.d'],
      ['a range type', 'CREATE TYPE r AS RANGE (subtype = int)', 'public.r'],
      ['a composite type', 'CREATE TYPE c AS (i int)', 'public.c'],
      ['a schema', 'CREATE SCHEMA "my schema"', 'schema my schema'],
      ['a large object', 'SELECT lo_create(77)', 'large object 77'],
      ['an operator', 'CREATE OPERATOR public.%% (LEFTARG = int, RIGHTARG = int, FUNCTION = int4mi)', 'operator'],
      ['a collation', `CREATE COLLATION mine (locale = 'C')`, 'public.mine'],
      ['a publication', 'CREATE PUBLICATION everything FOR ALL TABLES', 'publication everything'],
    ])('but has %s', async (what, sql, named) => {
      const name = `with ${what}`;
      const url = await server.createDatabase(name);
      await server.query(name, sql);
      const error = await failure(restore(plain, url));
      expect(error).toMatchObject({ code: 'target-not-empty', hint: expect.stringContaining('never overwrites') });
      expect(error.message).toContain(named);
      expect(await server.query(name, `SELECT to_regclass('public.t') AS t`)).toEqual([{ t: null }]);
    });

    it('and takes one that has extensions and nothing else', async () => {
      const url = await server.createDatabase('extended');
      await server.query('extended', 'CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore');
      await restore(plain, url);
      expect(await server.query('extended', 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 2 }]);
    });
  });

  it('makes the roles that are missing, without login, and says so', async () => {
    const { notes } = await restore(snapshot, other.url('with roles'));
    expect(notes).toEqual([
      'the role Sales; team was missing: it was made, without login',
      'the role postgres was missing: it was made, without login',
      'the role reader was missing: it was made, without login',
    ]);
    const roles = await other.query(
      'postgres',
      `SELECT rolcanlogin FROM pg_roles WHERE rolname IN ('Sales; team', 'reader')`,
    );
    expect(roles).toEqual([{ rolcanlogin: false }, { rolcanlogin: false }]);
    expect(failures(await validate(snapshot, other.url('with roles')))).toEqual([]);
  });

  it('names the roles that are missing and cannot be made, with what to run', async () => {
    await other.query('postgres', 'CREATE ROLE maker LOGIN CREATEDB');
    const error = await failure(restore(plain, other.url('no roles', 'maker')));
    expect(error).toMatchObject({ code: 'target-unsuitable' });
    expect(error.message).toContain('the role owner');
    expect(error.hint).toContain('CREATE ROLE "owner" NOLOGIN');
  });

  it("works for the database's owner, who is no superuser", async () => {
    const url = server.url('of the owner', 'owner');
    await restore(plain, url);
    expect(failures(await validate(plain, url))).toEqual([]);
  });

  it('says what the login may not do', async () => {
    const error = await failure(restore(snapshot, server.url('not allowed', 'owner')));
    expect(error).toMatchObject({ code: 'target-unsuitable' });
    expect(error.message).toMatch(/^owner may not give anything to the role .*Sales; team/);
    expect(error.hint).toContain('GRANT "Sales; team" TO "owner"');
    expect(await server.query('not allowed', `SELECT to_regnamespace('shop') AS schema`)).toEqual([{ schema: null }]);
  });

  it('says what a login lacks that may not make the database', async () => {
    await server.query('postgres', 'CREATE ROLE maker LOGIN');
    const error = await failure(restore(snapshot, server.url('not made', 'maker')));
    expect(error).toMatchObject({ code: 'target-failed', message: expect.stringContaining('permission denied') });
    expect(error.hint).toContain('ALTER ROLE "maker" CREATEDB');
  });

  it('makes roles, and joins those that own something, for a login that may make roles and is no superuser', async () => {
    await server.query('postgres', 'CREATE ROLE accounts; CREATE ROLE auditor');
    const source = await server.createDatabase('accounts');
    await server.query(
      'accounts',
      `CREATE SCHEMA books AUTHORIZATION accounts; SET ROLE accounts;
       CREATE TABLE books.entries (id serial, amount int); INSERT INTO books.entries (amount) VALUES (1), (2);
       GRANT SELECT ON books.entries TO auditor`,
    );
    const books = await capture(source);
    await other.query('postgres', 'CREATE ROLE manager LOGIN CREATEDB CREATEROLE');
    const url = other.url('managed', 'manager');
    const { notes } = await restore(books, url);
    expect(notes).toEqual([
      'the role accounts was missing: it was made, without login, and manager is a member of it',
      'the role auditor was missing: it was made, without login',
    ]);
    expect(failures(await validate(books, url))).toEqual([]);
  });

  it('refuses a server that is older than the source', async () => {
    const newer = await capture(server.url('plain'), { alter: (details) => ({ ...details, majorVersion: 99 }) });
    const error = await failure(restore(newer, server.url('older')));
    expect(error).toMatchObject({ code: 'target-unsuitable', message: expect.stringContaining('the source was 99') });
    const target = databaseTarget(server.url('older sandbox'), true);
    expect(await failure(restore(newer, target))).toMatchObject({ code: 'not-provable' });
  });

  it('names an extension that the server does not have', async () => {
    const extensions = [{ name: 'no_such', version: '1' }];
    const odd = await capture(server.url('plain'), { alter: (details) => ({ ...details, extensions }) });
    const error = await failure(restore(odd, server.url('without')));
    expect(error).toMatchObject({ code: 'target-unsuitable', message: expect.stringContaining('extension no_such') });
    const target = databaseTarget(server.url('without, sandbox'), true);
    expect(await failure(restore(odd, target))).toMatchObject({ code: 'not-provable' });
  });

  it('makes the database with C where the locale is not on the server, and says so', async () => {
    const foreign = { collate: 'xx_YY.UTF-8', ctype: 'xx_YY.UTF-8' };
    const odd = await capture(server.url('plain'), { alter: (details) => ({ ...details, ...foreign }) });
    const { notes } = await restore(odd, server.url('in C'));
    expect(notes).toEqual([expect.stringContaining('the locale xx_YY.UTF-8')]);
    expect(await server.query('in C', 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 2 }]);
  });

  it('puts everything into the default tablespace where another one is missing, and says so', async (context) => {
    skipWithout(context, 'root');
    const location = mkdtempSync(join(tmpdir(), 'space-'));
    execFileSync('chown', ['nobody', location]);
    chmodSync(location, 0o755);
    await server.query('postgres', `CREATE TABLESPACE "far away" LOCATION '${location}'`);
    const url = await server.createDatabase('spaced');
    await server.query('spaced', 'CREATE TABLE t (i int) TABLESPACE "far away"; INSERT INTO t VALUES (1)');
    const spaced = await capture(url);
    const { notes } = await restore(spaced, other.url('spaced'));
    expect(notes.join()).toContain('the tablespace far away is not on');
    expect(await other.query('spaced', 'SELECT i FROM t')).toEqual([{ i: 1 }]);
    await restore(spaced, server.url('spaced copy'));
    const where = `SELECT tablespace FROM pg_tables WHERE tablename = 't'`;
    expect(await server.query('spaced copy', where)).toEqual([{ tablespace: 'far away' }]);
  });

  it('ends at once when it is told to, and says what is left', async () => {
    const controller = new AbortController();
    const reason = new HoldfastError('interrupted', 'enough');
    let abortedAt = 0;
    const progress = afterBytes(1_000_000, () => {
      abortedAt = performance.now();
      controller.abort(reason);
    });
    const error = await failure(restore(snapshot, server.url('aborted'), { progress, signal: controller.signal }));
    expect(performance.now() - abortedAt).toBeLessThan(20_000);
    expect(error.code).toBe('interrupted');
    expect(error.hint).toContain('is incomplete: drop it');
  });

  it.each([
    ['rows are loaded', 'loading rows'],
    ['indexes are made', 'making indexes and constraints'],
    ['tables are made', 'making tables'],
  ])('says what is left when the server dies while %s', async (_, phase) => {
    const doomed = await startTestServer();
    const kill = () => process.kill(doomed.pid, 'SIGKILL');
    const progress = phase === 'loading rows' ? afterBytes(1_000_000, kill) : inPhase(phase, kill);
    const error = await failure(restore(snapshot, doomed.url('shop'), { progress }));
    await doomed.stop();
    expect(error).toMatchObject({ code: 'target-failed', hint: expect.stringContaining('is incomplete: drop it') });
    expect(error.message).toMatch(/lost the server|no connection/);
  });

  it('says what is left when the disk of the target is full', async (context) => {
    skipWithout(context, 'tmpfs');
    const disk = mkdtempSync(join(tmpdir(), 'disk-'));
    chmodSync(disk, 0o755);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', disk]);
    const doomed = await startTestServer();
    try {
      const location = join(disk, 'space');
      mkdirSync(location);
      execFileSync('chown', ['nobody', location]);
      await doomed.query('postgres', `CREATE TABLESPACE small LOCATION '${location}'`);
      const url = await doomed.createDatabase('full', 'TABLESPACE small');
      const error = await failure(restore(snapshot, url));
      expect(error).toMatchObject({
        code: 'target-failed',
        message: expect.stringContaining('No space left on device'),
      });
      expect(error.hint).toContain('has a part of the restore');
    } finally {
      await doomed.stop();
      execFileSync('umount', [disk]);
    }
  });

  it('refuses a snapshot that lacks a file, or has one that is cut short', async () => {
    const named = (details: Record<string, unknown>, file: string) => ({
      ...details,
      tables: (details['tables'] as object[]).map((table) => ({ ...table, file })),
    });
    const missing = await capture(server.url('plain'), { alter: (details) => named(details, 'nothing.dat') });
    expect(await failure(restore(missing, server.url('lacking')))).toMatchObject({ code: 'archive-damaged' });
    const cut = await capture(server.url('plain'), { alter: (details) => named(details, 'blob_4711.dat') });
    expect(await failure(restore(cut, server.url('cut')))).toMatchObject({ code: 'archive-damaged' });
  });

  describe('by a pg_restore that is newer than the target', () => {
    /** As pg_restore 17 does with a server 15: it sets what the server does not know, and goes on. */
    const newer = async (more: string, ignored: number) => {
      const real = (await findPostgresPrograms({ programs: ['pg_restore'], atLeastMajor: 15 })).path('pg_restore');
      const path = join(mkdtempSync(join(tmpdir(), 'bin-')), 'pg_restore');
      const script = `#!/bin/sh
        [ "$1" = --version ] && { echo "pg_restore (PostgreSQL) 17.0"; exit 0; }
        case "$*" in *--exit-on-error*) exit 1;; esac
        ${real} "$@" || exit
        echo 'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"' >&2
        ${more}
        echo 'pg_restore: warning: errors ignored on restore: ${ignored}' >&2
        exit 1`;
      writeFileSync(path, script, { mode: 0o755 });
      process.env['HOLDFAST_POSTGRES_BIN'] = dirname(path);
    };
    afterEach(() => {
      delete process.env['HOLDFAST_POSTGRES_BIN'];
    });

    it('takes no notice of the setting that the server does not have', async () => {
      await newer('', 1);
      await restore(plain, server.url('by a newer one'));
      delete process.env['HOLDFAST_POSTGRES_BIN'];
      expect(failures(await validate(plain, server.url('by a newer one')))).toEqual([]);
    });

    it('fails with any other error', async () => {
      await newer('echo "pg_restore: error: something else" >&2', 2);
      const error = await failure(restore(plain, server.url('failed')));
      expect(error).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/: something else$/) });
      await newer('', 2);
      expect(await failure(restore(plain, server.url('failed as well')))).toMatchObject({ code: 'target-failed' });
    });
  });

  it('counts the rows that the target took', async () => {
    const more = (table: { rows: number }) => ({ ...table, rows: table.rows + 1 });
    const odd = await capture(server.url('plain'), {
      alter: (details) => ({ ...details, tables: (details['tables'] as { rows: number }[]).map(more) }),
    });
    const error = await failure(restore(odd, server.url('fewer')));
    expect(error).toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('has 2 rows, the snapshot 3'),
    });
  });

  it('refuses a manifest that is not one', async () => {
    const odd = await capture(server.url('plain'), { alter: () => ({ tables: 'many' }) });
    expect(await failure(restore(odd, server.url('no manifest')))).toMatchObject({ code: 'repository-damaged' });
  });

  it('refuses a directory that is not empty, and changes nothing there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'full-'));
    mkdirSync(join(directory, 'mine'));
    const error = await failure(restore(plain, { kind: 'directory', path: directory }));
    expect(error).toMatchObject({ code: 'target-not-empty' });
    expect(readdirSync(directory)).toEqual(['mine']);
    writeFileSync(join(directory, 'file'), '');
    const nowhere = join(directory, 'file', 'b');
    expect(await failure(restore(plain, { kind: 'directory', path: nowhere }))).toMatchObject({
      code: 'target-failed',
    });
  });

  it('goes to a newer server as well', async (context) => {
    skipWithout(context, 'embedded-postgres');
    const binDirectory = embeddedPostgres18BinDirectory()!;
    const newer = await startTestServer({ binDirectory });
    try {
      await server.createDatabase('simple');
      await server.query(
        'simple',
        `CREATE TABLE t (i int PRIMARY KEY, s text DEFAULT 'x'); INSERT INTO t VALUES (1), (2)`,
      );
      const simple = await capture(server.url('simple'));
      await restore(simple, newer.url('simple'));
      expect(await newer.query('simple', 'SELECT * FROM t')).toEqual([
        { i: 1, s: 'x' },
        { i: 2, s: 'x' },
      ]);
    } finally {
      await newer.stop();
    }
  });
});
