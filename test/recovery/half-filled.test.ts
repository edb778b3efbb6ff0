import { mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment, holdfast, initialise, startHoldfast } from '../support/cli.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const isHere = requires('postgresql', 'pg_dump', 'redis');

const PLAN = {
  version: 1,
  name: 'shop',
  repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
  sources: {
    db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'logical' },
    cache: { type: 'redis', url: { env: 'CACHE_URL' } },
  },
  runbooks: {
    database: {
      scenario: 'The database is lost',
      steps: [{ id: 'back', do: 'restore', source: 'db', to: { env: 'TO_DB' } }],
    },
    cache: {
      scenario: 'The cache is lost',
      steps: [{ id: 'back', do: 'restore', source: 'cache', to: { env: 'TO_CACHE' } }],
    },
  },
};

/** Has all of PostgreSQL's programs, and one that kills who started it in the middle of a restore, once, and goes on by itself. */
function deadlyPrograms(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bin-'));
  for (const name of readdirSync(BIN)) if (name !== 'pg_restore') symlinkSync(join(BIN, name), join(directory, name));
  const script = `#!/bin/sh
case "$*" in *--section=post-data*)
  [ -e ${directory}/killed ] || { touch ${directory}/killed; kill -9 $PPID; } ;;
esac
exec ${BIN}/pg_restore "$@"
`;
  writeFileSync(join(directory, 'pg_restore'), script, { mode: 0o755 });
  return directory;
}

describe.skipIf(!isHere)('a restore that is killed in the middle, and resumed', { timeout: 120_000 }, () => {
  const directory = testDirectory();
  let server: TestServer;
  let [cache, target]: RedisServer[] = [];
  let number = 0;

  beforeAll(async () => {
    [server, cache, target] = await Promise.all([startTestServer(), RedisServer.start(), RedisServer.start()]);
    await server.createDatabase('shop');
    await server.query(
      'shop',
      `create schema sales; create type sales.state as enum ('open', 'paid'); create domain money_amount as numeric check (value >= 0);
       create table sales.orders (id int primary key, state sales.state, amount money_amount);
       insert into sales.orders select number, 'open', number from generate_series(1, 500) as number;
       create index on sales.orders (amount); create view sales.open as select * from sales.orders where state = 'open';
       create function sales.total() returns numeric language sql as 'select sum(amount) from sales.orders';
       create aggregate public.product (numeric) (sfunc = numeric_mul, stype = numeric);
       create operator public.=== (leftarg = int, rightarg = int, function = int4eq);
       select lo_from_bytea(0, 'large'); alter database shop set work_mem = '5MB'`,
    );
    for (let key = 0; key < 300; key++) await cache!.call('SET', `session:${key}`, 'x'.repeat(1000));
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(PLAN));
    await initialise(directory);
    const taken = await holdfast(directory, ['backup'], variables());
    expect(taken.exit, taken.stderr).toBe(0);
  });
  afterAll(async () => {
    await Promise.all([server?.stop(), cache?.stop(), target?.stop()]);
  });

  const variables = (more: Record<string, string> = {}): Record<string, string> =>
    environment({ DB_URL: server.url('shop'), CACHE_URL: cache!.url, TO_CACHE: target!.url, ...more });

  /** Starts the recovery into a database of its own, and has it killed. */
  async function killed(): Promise<{ database: string; env: Record<string, string> }> {
    const database = `back_${++number}`;
    const env = variables({ TO_DB: server.url(database), HOLDFAST_POSTGRES_BIN: deadlyPrograms() });
    const { exit } = await startHoldfast(directory, ['recover', 'database', '--another'], env).done;
    expect(exit).toBe('SIGKILL');
    return { database, env };
  }

  const resume = async (env: Record<string, string>) => {
    const { stdout } = await holdfast(directory, ['incident', 'list', '--json'], env);
    const [{ id }] = JSON.parse(stdout).incidents;
    return holdfast(directory, ['incident', 'resume', id, '--alone'], env);
  };

  const settingsOf = (database: string) =>
    server.query(
      'postgres',
      `select setconfig from pg_db_role_setting join pg_database d on d.oid = setdatabase where datname = '${database}'`,
    );

  it('empties the database that it half filled, fills it again, and leaves no trace', async () => {
    const { database, env } = await killed();
    const ended = await resume(env);
    expect(ended.exit, ended.stderr).toBe(0);
    const compared = await holdfast(directory, ['compare', 'db', '--with', server.url(database), '--json'], env);
    expect(JSON.parse(compared.stdout)).toMatchObject({ equal: true, differences: [] });
    expect(await server.query(database, `select nspname from pg_namespace where nspname like 'holdfast%'`)).toEqual([]);
    // What it made itself has its settings, though another attempt had made it.
    expect(await settingsOf(database)).toEqual([{ setconfig: ['work_mem=5MB'] }]);
  });

  it('throws nobody out who uses it meanwhile, and removes nothing then', async () => {
    const { database, env } = await killed();
    await expect.poll(() => server.query(database, 'select count(*)::int from sales.orders')).toEqual([{ count: 500 }]);
    const somebody = new pg.Client({ connectionString: server.url(database) });
    await somebody.connect();
    const refused = await resume(env);
    expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining('others are connected to it')]);
    expect((await somebody.query('select count(*)::int from sales.orders')).rows).toEqual([{ count: 500 }]);
    await somebody.end();
    expect((await resume(env)).exit).toBe(0);
  });

  it('removes nothing from a database that somebody filled instead', async () => {
    const { database, env } = await killed();
    await expect
      .poll(() => server.query('postgres', `drop database ${database}`).then(() => 'dropped', String))
      .toBe('dropped');
    await server.createDatabase(database);
    await server.query(database, 'create schema sales; create table sales.orders as select 1 as id');
    const refused = await resume(env);
    expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining('is not empty')]);
    expect(await server.query(database, 'select id from sales.orders')).toEqual([{ id: 1 }]);
  });

  it('removes nothing that another run began', async () => {
    const { database, env } = await killed();
    const other = await holdfast(directory, ['recover', 'database', '--another'], env);
    expect([other.exit, other.stderr]).toEqual([1, expect.stringContaining('is not empty')]);
    expect(await server.query(database, 'select count(*)::int from sales.orders')).toEqual([{ count: 500 }]);
  });

  it('empties the Redis server that it half filled, and no other', async () => {
    const env = variables();
    // The server loads so slowly that there is a middle.
    await target!.call('CONFIG', 'SET', 'key-load-delay', '20000');
    const { child, done } = startHoldfast(directory, ['recover', 'cache'], env);
    await expect.poll(() => target!.text('INFO', 'replication'), { interval: 10 }).toContain('role:slave');
    child.kill('SIGKILL');
    await done;
    await target!.call('CONFIG', 'SET', 'key-load-delay', '0');
    expect(await target!.text('INFO', 'replication')).toContain('role:slave');
    expect((await holdfast(directory, ['recover', 'cache', '--another'], env)).stderr).toContain(
      'is a replica of another one',
    );
    const [, opened] = JSON.parse((await holdfast(directory, ['incident', 'list', '--json'], env)).stdout).incidents;
    const resumeIt = () => holdfast(directory, ['incident', 'resume', opened.id, '--alone'], env);
    expect((await resumeIt()).stderr).toContain('others are connected to it');
    target!.leave();
    const ended = await resumeIt();
    expect(ended.exit, ended.stderr).toBe(0);
    expect(Number(await target!.call('DBSIZE'))).toBe(300);
    expect(String(await target!.call('CONFIG', 'GET', 'masteruser'))).toBe('masteruser,');
  });
});
