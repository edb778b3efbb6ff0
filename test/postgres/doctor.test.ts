import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import type { Finding } from '../../src/source/index.ts';
import {
  document,
  environment,
  HOLDFAST,
  holdfast,
  initialise,
  PASSWORD,
  type Ran,
  scratchDirectory,
  writePlan,
} from '../support/cli.ts';
import { initialiseDirectory, runAsServer, type StartedDirectory, startDirectory } from '../support/data-directory.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { startTestServer } from '../support/postgres.ts';
import { requires, skipWithout } from '../support/requirements.ts';

/**
 * Each finding comes from a server that really lacks something, and is gone once exactly the lines that were printed with it
 * have been carried out.
 */

const BIN = '/usr/lib/postgresql/15/bin';
const SECRET = 'swordfish-42';
const ENOUGH = 'max_wal_senders = 4\nmax_replication_slots = 4\nmax_slot_wal_keep_size = 1GB\n';
const LETS_IN = 'local all postgres trust\nlocal all,replication backup scram-sha-256\n';

describe.skipIf(!requires('postgresql'))('what the doctor says of a server', () => {
  let data: string;
  let fresh: { conf: string; hba: string };
  let server: StartedDirectory;
  let directory: string;
  let repository: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'doctor-'));
    repository = join(directory, 'repository');
    plan('method: logical');
    await initialise(directory);
    data = await initialiseDirectory(BIN);
    fresh = { conf: readFileSync(join(data, 'postgresql.conf'), 'utf8'), hba: LETS_IN };
    await start('');
    await server.query(`create role backup login password '${SECRET}'`);
    await server.query('grant execute on function pg_read_binary_file(text, bigint, bigint, boolean) to backup');
  });
  beforeEach(() => {
    directory = scratchDirectory();
  });
  afterEach(async () => {
    await settled(server.stop());
  });

  async function start(conf: string, hba: string = fresh.hba): Promise<void> {
    writeFileSync(join(data, 'postgresql.conf'), `${fresh.conf}\n${conf}`);
    writeFileSync(join(data, 'pg_hba.conf'), hba);
    if (server !== undefined) await settled(server.stop());
    server = await startDirectory(BIN, data);
  }
  /** One that was made beforehand: to make it takes longer than to look at it. */
  function withRepository(): void {
    cpSync(repository, join(directory, 'repository'), { recursive: true });
  }
  function plan(options: string): void {
    writePlan(directory, `  db: { type: postgres, ${options}, url: { env: DATABASE_URL } }`);
  }
  const urlOf = (database = 'postgres', password = `:${SECRET}`) =>
    server.url(database, 'backup').replace('backup@', `backup${password}@`);
  async function run(words: string[], url = urlOf(), extra: Record<string, string> = {}): Promise<Ran> {
    const ran = await holdfast(directory, words, environment({ DATABASE_URL: url, ...extra }));
    expect(`${ran.stdout}${ran.stderr}`).not.toMatch(new RegExp(`${SECRET}|${PASSWORD}`));
    return ran;
  }
  /** What the doctor has to say of the server, and nothing that is ok. */
  async function complaints(url?: string, extra?: Record<string, string>): Promise<Finding[]> {
    const ran = await run(['doctor', '--json'], url, extra);
    const { repositories, sources, missing, warnings } = document(ran);
    const all: Finding[] = [...repositories, ...sources].flatMap(({ findings }) => findings);
    const countOf = (wanted: Finding['level']): number => all.filter(({ level }) => level === wanted).length;
    expect([missing, warnings]).toEqual([countOf('missing'), countOf('warning')]);
    expect([ran.exit, ran.stderr]).toEqual([missing > 0 ? 4 : 0, '']);
    return all.filter(({ level, about }) => level !== 'ok' && about !== 'ledger');
  }
  /** `missing wal_level`, sorted. */
  const summary = (findings: Finding[]) => findings.map(({ level, about }) => `${level} ${about}`).sort();

  /** Carries out the lines of these findings, and only them, as their place says. */
  async function mend(findings: Finding[], database = 'postgres'): Promise<void> {
    const linesOf = (place: string) => findings.flatMap((each) => (each.mend?.place === place ? each.mend.lines : []));
    for (const line of linesOf('sql')) await server.query(line, database);
    const hba = join(data, 'pg_hba.conf');
    writeFileSync(hba, [...linesOf('pg_hba.conf'), readFileSync(hba, 'utf8')].join('\n'));
    appendFileSync(join(data, 'postgresql.conf'), `\n${linesOf('postgresql.conf').join('\n')}\n`);
    await stopInOrder();
    for (const line of linesOf('shell')) await shell(line);
    server = await startDirectory(BIN, data);
  }
  /** Changing checksums wants it so. */
  const stopInOrder = async () => {
    const { status, output } = await runAsServer(join(BIN, 'pg_ctl'), ['-D', data, '-m', 'fast', '-w', 'stop']);
    if (status !== 0) throw new Error(output);
  };
  async function shell(line: string): Promise<void> {
    if (line.startsWith('holdfast ')) {
      const env = { ...environment(), PATH: `${dirname(HOLDFAST)}:${process.env['PATH']}` };
      const { status, stderr } = spawnSync('sh', ['-c', line], { cwd: directory, env, encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      return;
    }
    const { status, output } = await runAsServer('/bin/sh', ['-c', `export PATH=${BIN}:$PATH PGDATA=${data}; ${line}`]);
    if (status !== 0) throw new Error(output);
  }

  it('leads from a server that lacks everything to a backup of its cluster', async () => {
    await start('');
    await stopInOrder();
    await shell('pg_checksums --disable --pgdata "$PGDATA"');
    await start(
      'wal_level = minimal\nmax_wal_senders = 0\nmax_replication_slots = 0\n',
      'local all postgres trust\nlocal all backup scram-sha-256\n',
    );
    await server.query('revoke execute on function pg_read_binary_file(text, bigint, bigint, boolean) from backup');
    plan('method: physical, wal: stream');
    const first = await complaints();
    expect(summary(first)).toEqual([
      'missing max_replication_slots',
      'missing max_wal_senders',
      'missing repository',
      'missing role attributes',
      'missing wal_level',
      'warning data checksums',
      'warning max_slot_wal_keep_size',
      'warning replication connection',
    ]);
    expect(first.find(({ about }) => about === 'role attributes')?.mend?.lines).toEqual([
      'ALTER ROLE "backup" REPLICATION;',
    ]);
    expect((await run(['doctor'])).stdout).toMatch(
      /\n {11}run as a superuser:\n {13}ALTER ROLE "backup" REPLICATION;\n/,
    );
    await mend(first);
    const second = await complaints();
    expect(summary(second)).toEqual(['missing replication connection', 'warning data checksums']);
    expect(second[0]?.mend?.lines).toEqual(['local replication backup scram-sha-256']);
    await mend(second);
    expect(await complaints()).toEqual([]);
    const backup = await run(['backup']);
    expect(backup.exit, backup.stderr).toBe(0);
    // The slot that stays is there now, and is no longer asked for.
    expect(await complaints()).toEqual([]);
    await server.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots');
  });

  it('finds that all slots and senders are taken', async () => {
    await start(
      'max_wal_senders = 1\nmax_replication_slots = 1\nmax_slot_wal_keep_size = 1GB\n',
      `${LETS_IN}local replication postgres trust\n`,
    );
    await server.query('alter role backup replication');
    await server.query(`select pg_create_physical_replication_slot('taken')`);
    plan('method: physical, wal: stream');
    withRepository();
    const other = new pg.Client({ connectionString: server.url('postgres'), replication: 'true' } as pg.ClientConfig);
    other.on('error', () => {});
    await other.connect();
    const found = await complaints();
    expect(summary(found)).toEqual([
      'missing max_replication_slots',
      'missing max_wal_senders',
      'warning replication connection',
    ]);
    expect(found.map(({ message }) => message).join('\n')).toMatch(
      /0 of max_replication_slots = 1 are free, .* need 2/,
    );
    expect(found.find(({ about }) => about === 'max_replication_slots')?.mend?.note).toMatch(/WHERE NOT active/);
    await other.end();
    await mend(found);
    expect(await complaints()).toEqual([]);
    await server.query(`select pg_drop_replication_slot('taken')`);
  });

  it('finds what the role may not read, and rows that are hidden from it', async () => {
    await start(ENOUGH);
    await server.query('create database shop');
    await server.query(
      `create schema inner_room; create table inner_room.chairs (id serial); create table public.orders (id int);
       create table public.people (name text); alter table public.people enable row level security;
       insert into public.people values ('somebody'); grant usage on schema public to backup;
       select lo_from_bytea(0, 'picture'), lo_from_bytea(0, 'another')`,
      'shop',
    );
    plan('method: logical');
    withRepository();
    expect((await run(['backup'], urlOf('shop'))).exit).toBe(1);
    const found = await complaints(urlOf('shop'));
    expect(summary(found)).toEqual(['missing large objects', 'missing reading', 'missing row level security']);
    const four = '4 (inner_room.chairs, inner_room.chairs_id_seq, public.orders …)';
    expect(found[0]?.message).toContain(`may not read ${four} of the 4 tables and sequences in shop on /`);
    await mend(found, 'shop');
    expect(await complaints(urlOf('shop'))).toEqual([]);
    const backup = await run(['backup'], urlOf('shop'));
    expect(backup.exit, backup.stderr).toBe(0);
  });

  it('says which programs are not on this machine', async () => {
    await start(ENOUGH);
    await server.query('alter role backup replication');
    plan('method: physical');
    withRepository();
    const nowhere = { HOLDFAST_POSTGRES_BIN: '/nonexistent' };
    expect(await complaints(undefined, nowhere)).toEqual([
      {
        level: 'warning',
        about: 'server programs',
        message: expect.stringMatching(/of PostgreSQL 15 not found .*: proofs .* are not-provable on this machine$/),
        mend: { place: 'person', lines: [expect.stringMatching(/^Install postgresql-15 /)] },
      },
    ]);
    plan('method: logical');
    expect(summary(await complaints(urlOf('template1'), nowhere))).toEqual([
      'missing pg_dump',
      'warning server programs',
    ]);
  });

  it('says why the server lets nobody in', async () => {
    await start(ENOUGH, 'local all postgres trust\n');
    plan('method: physical');
    withRepository();
    const unlisted = await complaints();
    expect(unlisted).toMatchObject([
      { about: 'connection', mend: { place: 'pg_hba.conf', lines: ['local postgres backup scram-sha-256'] } },
    ]);
    await mend(unlisted);
    expect(summary(await complaints())).not.toContain('missing connection');
    expect(await complaints(urlOf('postgres', ':wrong'))).toMatchObject([
      { level: 'missing', about: 'connection', message: expect.stringMatching(/password authentication failed/) },
    ]);
    expect(await complaints(urlOf('postgres', ''))).toMatchObject([
      { about: 'connection', mend: { lines: ['Give the password in the URL, by a reference to a secret.'] } },
    ]);
    expect(await complaints(urlOf('nowhere'))).toMatchObject([{ level: 'missing', about: 'connection' }]);
    expect(await complaints('no URL at all')).toMatchObject([{ level: 'missing', about: 'url' }]);
    const url = urlOf();
    await server.stop();
    expect(await complaints(url)).toMatchObject([
      { about: 'connection', message: expect.stringMatching(/^no connection to postgres on .*ENOENT/) },
    ]);
  });

  it('asks a server of another version the same', async (context) => {
    skipWithout(context, 'embedded-postgres');
    // It has no pg_dump.
    const binDirectory = embeddedPostgres18BinDirectory()!;
    const programs = { HOLDFAST_POSTGRES_BIN: binDirectory };
    const other = await startTestServer({ binDirectory, settings: { wal_level: 'replica', max_wal_senders: 4 } });
    onTestFinished(() => other.stop());
    plan('method: physical, wal: stream');
    withRepository();
    expect(summary(await complaints(other.adminUrl, programs))).toEqual(['warning max_slot_wal_keep_size']);
    plan('method: logical');
    expect(summary(await complaints(other.adminUrl, programs))).toEqual(['missing pg_dump']);
  });

  it('tells a restart that is due from a line that is missing, and names what comes before the file', async () => {
    const conf = ENOUGH.replace('max_wal_senders = 4', 'max_wal_senders = 0');
    await start(`${conf}wal_level = minimal\n`, `local all,replication postgres trust\n${LETS_IN}`);
    await server.query('alter role backup replication');
    plan('method: physical');
    withRepository();
    const asSuperuser = () => complaints(server.url('postgres'));
    const linesOf = (findings: Finding[]) => findings.map(({ level, mend }) => [level, mend?.place, mend?.lines[0]]);
    const change = async (level: string, senders: number) => {
      await server.query(`alter system set wal_level = '${level}'`);
      await server.query(`alter system set max_wal_senders = ${senders}`);
      await server.query('select pg_reload_conf()');
      await expect
        .poll(() => server.query('select count(*)::int from pg_settings where pending_restart'))
        .toEqual([{ count: 2 }]);
    };

    await change('replica', 4);
    const restart = ['missing', 'shell', `pg_ctl restart --pgdata ${data}`];
    const due = await asSuperuser();
    expect(linesOf(due.filter(({ level }) => level === 'missing'))).toEqual([restart, restart]);
    expect(due.map(({ message }) => message).join()).toContain('its files have wal_level = replica');
    const asRole = await complaints();
    expect(asRole.find(({ about }) => about === 'wal_level')?.mend?.lines).toEqual([
      'pg_ctl restart --pgdata "$PGDATA"',
    ]);
    await shell(`${restart[2]} --log "$PGDATA"/log`);
    expect(await asSuperuser()).toEqual([]);

    await change('minimal', 0);
    const column = ['setting', 'ORDER BY seqno DESC LIMIT 1;'];
    expect(linesOf(await complaints())).toEqual(
      ['wal_level', 'max_wal_senders'].map((name) => [
        'warning',
        'sql',
        `SELECT ${column[0]} FROM pg_file_settings WHERE name = '${name}' ${column[1]}`,
      ]),
    );
    const statements = [`ALTER SYSTEM SET wal_level = 'replica';`, `ALTER SYSTEM SET max_wal_senders = '9';`];
    expect(linesOf(await asSuperuser())).toEqual(statements.map((line) => ['warning', 'sql', line]));
    await server.stop();
    server = await startDirectory(BIN, data);
    const missing = (await asSuperuser()).filter(({ level }) => level === 'missing');
    expect(linesOf(missing)).toEqual([
      ['missing', 'sql', statements[0]],
      ['missing', 'sql', `ALTER SYSTEM SET max_wal_senders = '10';`],
    ]);
    await mend(missing);
    expect(await asSuperuser()).toEqual([]);
    await server.query('alter system reset all');
  });

  it('says of a standby what has to be done on its primary', async () => {
    await start(`${ENOUGH}full_page_writes = off\n`);
    await server.query('alter role backup noreplication');
    await stopInOrder();
    writeFileSync(join(data, 'standby.signal'), '');
    onTestFinished(() => rmSync(join(data, 'standby.signal')));
    server = await startDirectory(BIN, data);
    plan('method: physical');
    withRepository();
    const onPrimary = { note: expect.stringMatching(/^On the primary/) };
    expect(await complaints()).toMatchObject([
      { about: 'full_page_writes', mend: { lines: ['full_page_writes = on'], ...onPrimary } },
      { about: 'role attributes', mend: onPrimary },
    ]);
    plan('method: logical');
    expect(summary(await complaints(urlOf('template1')))).toEqual([]);
  });

  it('refuses a physical backup of a managed service, as a backup does, and says what logical ones lose', async () => {
    await start(ENOUGH);
    await server.query('create role cloudsqlsuperuser');
    plan('method: physical, wal: stream, schedule: every 30m');
    withRepository();
    // The role alone is none: it comes along when a database is moved away from the service.
    expect(summary(await complaints())).not.toContain('missing managed service');
    await server.query('create role other superuser login');
    const asOther = async (sql: string) => {
      const client = new pg.Client({ connectionString: server.url('postgres', 'other') });
      await client.connect();
      await client.query(sql).finally(() => client.end());
    };
    writeFileSync(join(data, 'pg_hba.conf'), `local all other trust\n${fresh.hba}`);
    await server.query('select pg_reload_conf()');
    await asOther('alter role postgres rename to cloudsqladmin');
    await asOther('alter role other nosuperuser');
    const [found, ...more] = await complaints();
    expect(found).toMatchObject({
      level: 'missing',
      about: 'managed service',
      message: expect.stringMatching(
        /is on Google Cloud SQL, .*; logical backups by the plan's schedule lose up to 30m/,
      ),
      mend: { place: 'plan', lines: ['method: logical'], note: expect.stringMatching(/wal: stream/) },
    });
    expect(more).toEqual([]);
    const backup = await run(['backup', '--json']);
    expect([backup.exit, document(backup).sources[0].error.code]).toEqual([1, 'source-unsupported']);
    plan(`${found?.mend?.lines[0]}, schedule: every 30m`);
    expect(await complaints()).toEqual([]);
    expect((await run(['doctor'])).stdout).toMatch(/managed service: the server is on Google Cloud SQL: .*30m/);
  });
});
