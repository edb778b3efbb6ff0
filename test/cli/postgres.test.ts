import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, PASSWORD, scratchDirectory, writePlan } from '../support/cli.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { requires } from '../support/requirements.ts';

describe.skipIf(!requires('postgresql', 'pg_dump', 'restic'))('a database, from plan to proof', () => {
  let server: TestServer;
  let databases = 0;

  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(async () => {
    await server.stop();
  });

  /** A database with two tables, and a directory with a plan for it and a repository that was made. */
  async function prepared(validate = ''): Promise<{ directory: string; database: string }> {
    const database = `shop_${databases++}`;
    await server.createDatabase(database);
    await server.query(
      database,
      `create table customers (id int primary key, name text not null, since timestamptz default now());
       create table orders (id int primary key, customer int not null references customers, note jsonb);
       insert into customers select i, 'customer ' || i from generate_series(1, 500) i;
       insert into orders select i, 1 + i % 500, jsonb_build_object('n', i) from generate_series(1, 3000) i`,
    );
    const directory = scratchDirectory();
    writePlan(directory, `  db: { type: postgres, url: { env: DATABASE_URL }${validate} }`);
    await initialise(directory);
    return { directory, database };
  }

  const to = (database: string, extra: Record<string, string> = {}): Record<string, string> =>
    environment({ DATABASE_URL: server.url(database), ...extra });

  it('is backed up, proven in a sandbox, reported, and restored to a new database', async () => {
    const { directory, database } = await prepared(
      ', validate: [{ name: customers exist, sql: "select count(*) > 0 from customers" }, { name: fresh, sql: "select max(since) from customers", within: 1h }]',
    );
    const backup = document(await holdfast(directory, ['backup', '--json'], to(database))).sources[0];
    expect(backup).toMatchObject({ source: 'db', outcome: 'complete', problems: [] });
    const listed = document(await holdfast(directory, ['snapshots', 'db', '--json'])).snapshots[0];
    expect(listed).toMatchObject({
      id: backup.snapshot,
      hostname: 'test',
      paths: ['/db'],
      tags: ['holdfast', 'source:db', 'kind:dump'],
    });
    const verified = await holdfast(directory, ['verify', 'db', '--json'], to(database));
    expect(verified.exit).toBe(0);
    const proof = document(verified).proofs[0];
    expect(proof.state).toBe('proven');
    expect(proof.checks.map(({ name }: { name: string }) => name)).toEqual([
      'schema',
      'rows public.customers',
      'rows public.orders',
      'validate: customers exist',
      'validate: fresh',
    ]);
    expect(document(await holdfast(directory, ['status', '--json'], to(database))).sources[0]).toMatchObject({
      last: { proof: 'proven' },
      missed: [],
    });
    const restored = await holdfast(directory, ['restore', 'db', '--to', server.url(`${database}_back`)], to(database));
    expect(restored.exit).toBe(0);
    const [row] = await server.query(
      `${database}_back`,
      'select count(*)::int as orders, sum(customer)::int as sum from orders',
    );
    const [original] = await server.query(
      database,
      'select count(*)::int as orders, sum(customer)::int as sum from orders',
    );
    expect(row).toEqual(original);
  });

  it('comes back with stock restic and stock pg_restore alone', async () => {
    const { directory, database } = await prepared();
    expect((await holdfast(directory, ['backup'], to(database))).exit).toBe(0);
    const env = { ...process.env, RESTIC_PASSWORD: PASSWORD };
    const restic = spawnSync('restic', ['--no-cache', '-r', 'repository', 'restore', 'latest', '--target', 'stock'], {
      cwd: directory,
      env,
    });
    expect(restic.status, restic.stderr.toString()).toBe(0);
    await server.createDatabase(`${database}_stock`);
    const restored = spawnSync('pg_restore', [
      '--exit-on-error',
      '-d',
      server.url(`${database}_stock`),
      join(directory, 'stock', 'data'),
    ]);
    expect(restored.status, restored.stderr.toString()).toBe(0);
    expect(await server.query(`${database}_stock`, 'select * from orders order by id')).toEqual(
      await server.query(database, 'select * from orders order by id'),
    );
  });

  it('is not proven when a validation of the plan is false, and the exit code is 4', async () => {
    const { directory, database } = await prepared(
      ', validate: [{ name: many, sql: "select count(*) > 1000000 from customers" }]',
    );
    await holdfast(directory, ['backup'], to(database));
    const ran = await holdfast(directory, ['verify', '--json'], to(database));
    expect(ran.exit).toBe(4);
    expect(document(ran).proofs[0]).toMatchObject({ state: 'failed', checksFailed: ['validate: many'] });
  });

  it('is not provable where no server of its version can be started, which is neither proven nor failed', async () => {
    const { directory, database } = await prepared();
    await holdfast(directory, ['backup'], to(database));
    const nowhere = scratchDirectory();
    const ran = await holdfast(directory, ['verify', '--json'], to(database, { HOLDFAST_POSTGRES_BIN: nowhere }));
    expect([ran.exit, document(ran).proofs?.[0]?.state]).toEqual([4, 'not-provable']);
  });

  it('fails with 1 and without a snapshot when the server is down or refuses the login', async () => {
    const { directory, database } = await prepared();
    const down = await holdfast(
      directory,
      ['backup', '--json'],
      to(database, { DATABASE_URL: 'postgres://me:s3cr3t@127.0.0.1:9/shop' }),
    );
    expect(down.exit).toBe(1);
    expect(document(down).sources[0].error.code).toBe('source-unreachable');
    const refused = await holdfast(
      directory,
      ['backup', '--json'],
      to(database, { DATABASE_URL: server.url('no_such_database') }),
    );
    expect(refused.exit).toBe(1);
    expect(document(refused).sources[0].error.code).toBe('source-refused');
    expect(down.stdout + down.stderr).not.toContain('s3cr3t');
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toEqual([]);
    expect(document(await holdfast(directory, ['status', '--json'], to(database))).sources[0].failure.code).toBe(
      'source-refused',
    );
  });

  it('fails with 1 when pg_dump is older than the server', async () => {
    const { directory, database } = await prepared();
    const fake = scratchDirectory();
    for (const name of ['pg_dump', 'pg_restore']) {
      writeFileSync(join(fake, name), `#!/bin/sh\necho "${name} (PostgreSQL) 9.6.24"\n`, { mode: 0o755 });
    }
    const ran = await holdfast(directory, ['backup', '--json'], to(database, { HOLDFAST_POSTGRES_BIN: fake }));
    expect(ran.exit).toBe(1);
    expect(document(ran).sources[0].error.code).toMatch(/^program-(too-old|missing)$/);
    expect(document(ran).sources[0].error.hint).toMatch(/postgresql/i);
  });

  it('is not restored over what is there', async () => {
    const { directory, database } = await prepared();
    await holdfast(directory, ['backup'], to(database));
    const ran = await holdfast(directory, ['restore', 'db', '--to', server.url(database), '--json'], to(database));
    expect(ran.exit).toBe(1);
    expect(document(ran).error.code).toBe('target-not-empty');
    expect(await server.query(database, 'select count(*)::int as n from orders')).toEqual([{ n: 3000 }]);
  });

  it('gives back one table that was dropped, into a new database', async () => {
    const { directory, database } = await prepared();
    await holdfast(directory, ['backup'], to(database));
    const orders = await server.query(database, 'select * from orders order by id');
    await server.query(database, 'drop table orders');
    const words = ['restore', 'db', '--to', server.url(`${database}_part`), '--only'];
    const ran = await holdfast(directory, [...words, 'public.orders', '--json'], to(database));
    expect([ran.exit, ran.stderr]).toEqual([0, '']);
    expect(document(ran)).toMatchObject({ items: 1, outcome: 'complete' });
    expect(await server.query(`${database}_part`, 'select * from orders order by id')).toEqual(orders);
    const living = ['restore', 'db', '--to', server.url(database), '--only', 'public.orders', '--as'];
    const beside = await holdfast(directory, [...living, 'archive.orders_before', '--json'], to(database));
    expect([beside.exit, document(beside).items]).toEqual([0, 1]);
    expect(await server.query(database, 'select * from archive.orders_before order by id')).toEqual(orders);
    // What the sandbox calls its own user is nobody here.
    const owners = `select distinct pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = 'archive'`;
    expect(await server.query(database, owners)).toEqual([{ owner: server.superuser }]);
    for (const wrong of [
      [...words, 'public.orders', 'public.customers', '--as', 'x'],
      [...living.slice(0, 4), '--as', 'x'],
    ]) {
      const refused = await holdfast(directory, [...wrong, '--json'], to(database));
      expect([refused.exit, document(refused).error.code]).toEqual([2, 'bad-usage']);
    }
    const nothing = await holdfast(directory, [...words, 'orders', '--json'], to(database));
    expect([nothing.exit, document(nothing).error.code]).toEqual([1, 'path-missing']);
    const without = await holdfast(directory, [...words.slice(0, -1), '--exclude', 'x', '--json'], to(database));
    expect([without.exit, document(without).error.code]).toEqual([2, 'bad-usage']);
  });

  it('is backed up beside a directory that fails, each on its own', async () => {
    const { directory, database } = await prepared();
    mkdirSync(join(directory, 'data'));
    writePlan(
      directory,
      `  db: { type: postgres, url: { env: DATABASE_URL } }\n  gone: { type: files, paths: [/nowhere/at/all] }`,
    );
    const ran = await holdfast(directory, ['backup', '--json'], to(database));
    expect(ran.exit).toBe(1);
    expect(document(ran).sources.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['complete', 'failed']);
  });
});
