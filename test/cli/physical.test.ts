import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { document, holdfast, PASSWORD, plannedCluster } from '../support/cli.ts';
import {
  initialiseDirectory,
  type StartedDirectory,
  serverDirectory,
  startDirectory,
} from '../support/data-directory.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const VALIDATE =
  'validate: [{ name: orders exist, sql: "select count(*) > 0 from orders" }, { name: fresh, sql: "select max(since) from orders", within: 1h }]';

describe.skipIf(!requires('postgresql', 'restic'))('a cluster, from plan to proof', { timeout: 180_000 }, () => {
  let data: string;
  let server: StartedDirectory;

  beforeAll(async () => {
    data = await initialiseDirectory(BIN);
    server = await startDirectory(BIN, data, { settings: { wal_level: 'replica', archive_mode: 'on' } });
    await server.query(`create table orders as select i, now() as since from generate_series(1, 10000) i`);
    const space = await serverDirectory();
    await server.query(`create tablespace fast location '${space}'`);
    await server.query('create table elsewhere tablespace fast as select generate_series(1, 1000) i');
    // What must not reach the sandbox: a library that is nowhere, and an archive that others write to.
    await server.query(`alter system set shared_preload_libraries = 'nowhere'`);
    await server.query(`alter system set archive_mode = 'on'`);
  });
  afterAll(async () => {
    await server.stop();
  });

  const prepared = () => plannedCluster(server.url('postgres'), VALIDATE);

  it('is backed up, proven in a sandbox and restored to a directory', async () => {
    const { directory, env } = await prepared();
    const backup = document(await holdfast(directory, ['backup', '--json'], env)).sources[0];
    expect(backup).toMatchObject({ source: 'db', outcome: 'complete', problems: [] });
    const listed = document(await holdfast(directory, ['snapshots', 'db', '--json'])).snapshots[0];
    expect(listed.tags).toEqual(['holdfast', 'source:db', 'kind:base']);

    const verified = await holdfast(directory, ['verify', 'db', '--json'], env);
    const proof = document(verified).proofs[0];
    expect(proof).toMatchObject({ state: 'proven', notes: [] });
    expect(proof.checks.map(({ name, result }: { name: string; result: string }) => [name, result])).toEqual(
      [
        'recovery',
        'tables of postgres',
        'tables of template1',
        'heaps and indexes of postgres',
        'heaps and indexes of template1',
        'databases',
        'tables of postgres by name',
        'rows of postgres',
        'validate: orders exist',
        'validate: fresh',
      ].map((name) => [name, 'passed']),
    );
    expect(proof.counts).toEqual([
      { database: 'postgres', tables: 2, rows: 11_000 },
      { database: 'template1', tables: 0, rows: 0 },
    ]);
    expect(verified.exit).toBe(0);

    const restored = document(await holdfast(directory, ['restore', 'db', '--to', './restored', '--json'], env));
    expect(restored.outcome).toBe('complete');
    expect(restored.notes.join('\n')).toMatch(/pg_ctl -D .*restored start[\s\S]*archive_mode=off/);
    expect(readdirSync(join(directory, 'restored'))).toContain('backup_label');
    // What Holdfast restores is what restic restores, and where the links of tablespaces lead as well.
    const stock = join(directory, 'stock');
    const repository = join(directory, 'repository');
    const words = ['--no-cache', '--repo', repository, 'restore', 'latest', '--target', stock];
    execFileSync('restic', words, { env: { ...process.env, RESTIC_PASSWORD: PASSWORD } });
    const difference = spawnSync('diff', ['-r', join(stock, 'data'), join(directory, 'restored')]);
    expect(difference.stdout.toString()).toBe('');
    expect(readFileSync(join(stock, '.holdfast', 'manifest.json'), 'utf8')).toMatch(/"startLsn"/);
  });

  it('refuses what cannot be had of it', async () => {
    const { directory, env } = await prepared();
    await holdfast(directory, ['backup'], env);
    const at = await holdfast(directory, ['restore', 'db', '--to', './restored', '--at', '1m ago'], env);
    expect(at.exit).toBe(1);
    expect(at.stderr).toMatch(/db has no snapshot that old/);
    const position = await holdfast(directory, ['restore', 'db', '--to', './restored', '--at', '0/3000000'], env);
    expect(position.exit).toBe(2);
    expect(position.stderr).toMatch(/db has no log that 0\/3000000 could be a position of/);
    const only = await holdfast(directory, ['restore', 'db', '--to', './restored', '--only', 'base'], env);
    expect(only.exit).toBe(2);
    expect(only.stderr).toMatch(/a part of a database is restored to a database only/);
    const elsewhere = { ...env, HOLDFAST_POSTGRES_BIN: '/nonexistent' };
    // Before a server is looked for, in which it would recover.
    const taken = await holdfast(directory, ['restore', 'db', '--to', server.url('postgres'), '--json'], elsewhere);
    expect([taken.exit, document(taken).error.code]).toEqual([1, 'target-not-empty']);
    const without = await holdfast(directory, ['restore', 'db', '--to', server.url('copy'), '--json'], elsewhere);
    expect([without.exit, document(without).error.code]).toEqual([1, 'program-missing']);
    const verified = await holdfast(directory, ['verify', 'db', '--json'], elsewhere);
    expect(verified.exit).toBe(4);
    expect(document(verified).proofs[0]).toMatchObject({ state: 'not-provable', reason: expect.stringMatching(/15/) });
  });

  it('is compared, and restored to a database, whole or one table of it beside the living', async () => {
    const { directory, env } = await prepared();
    await server.query('create unlogged table passing as select 1 as one');
    await server.query('create database other');
    await holdfast(directory, ['backup'], env);
    const compare = ['compare', 'db', '--json'];
    const same = await holdfast(directory, compare, env);
    expect(document(same)).toMatchObject({ equal: true, compared: 3, differences: [] });
    expect(document(same).notes).toEqual([expect.stringMatching(/rows of public.passing were not compared/)]);

    const copied = await holdfast(directory, ['restore', 'db', '--to', server.url('copy'), '--json'], env);
    expect(document(copied)).toMatchObject({ outcome: 'complete', items: 3 });
    expect(document(copied).notes.join()).toMatch(/only the database that the plan's URL names .*and not other/);
    const rows = 'select count(*)::int as n, sum(i)::int as sum from orders';
    expect(await server.query(rows, 'copy')).toEqual(await server.query(rows));

    await server.query('delete from orders where i <= 9000; drop table elsewhere');
    const changed = document(await holdfast(directory, compare, env)).differences;
    expect(changed.map(({ item, kind }: { item: string; kind: string }) => `${kind} ${item}`)).toEqual([
      'missing table public.elsewhere',
      'rows table public.orders',
    ]);
    const part = await holdfast(directory, [...compare, '--only', 'public.elsewhere'], env);
    expect(document(part)).toMatchObject({ compared: 1, differences: [{ item: 'table public.elsewhere' }] });
    const words = ['restore', 'db', '--to', server.url('postgres'), '--only', 'public.orders', '--as', 'orders_before'];
    const beside = await holdfast(directory, [...words, '--json'], env);
    expect([beside.exit, document(beside).items]).toEqual([0, 1]);
    const counts =
      'select (select count(*)::int from orders) as now, (select count(*)::int from orders_before) as before';
    expect(await server.query(counts)).toEqual([{ now: 1000, before: 10_000 }]);
    const again = await holdfast(directory, [...words, '--json'], env);
    expect([again.exit, document(again).error.code]).toEqual([1, 'target-not-empty']);
    await server.query('drop table orders_before, passing');
  });

  it('is partial, with exit code 3, when a page of it is broken, and the proof fails', async () => {
    const { directory, env } = await prepared();
    // A vacuum during the backup would put the whole page into the log, which mends it.
    await server.query('create table broken with (autovacuum_enabled = off) as select generate_series(1, 5000) i');
    await server.query('checkpoint');
    const path = String((await server.query(`select pg_relation_filepath('broken') as path`))[0]?.['path']);
    const where = ['conv=notrunc', 'bs=1', 'count=3', `seek=${2 * 8192 + 5000}`, `of=${join(data, path)}`];
    execFileSync('dd', ['if=/dev/urandom', ...where], { stdio: 'ignore' });
    const backup = await holdfast(directory, ['backup'], env);
    expect(backup.exit).toBe(3);
    expect(`${backup.stdout}${backup.stderr}`).toContain(`${path}: the checksum of block 2 is wrong`);
    const verified = await holdfast(directory, ['verify', 'db', '--json'], env);
    expect(verified.exit).toBe(4);
    expect(document(verified).proofs[0]).toMatchObject({
      state: 'failed',
      checksFailed: ['tables of postgres', 'heaps and indexes of postgres'],
    });
    await server.query('drop table broken');
  });
});
