import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { requires } from '../support/requirements.ts';

/** Seconds since 1970: a time that can be set exactly. */
const LONG_AGO = 1_700_000_000;

interface Named {
  item: string;
  kind: string;
  detail: string;
}

const named = (differences: Named[]): string[] => differences.map(({ item, kind }) => `${kind} ${item}`).sort();

describe.skipIf(!requires('postgresql', 'pg_dump'))('the comparison of a database with a recovery point', () => {
  let server: TestServer;
  let directory: string;
  let copies = 0;

  beforeAll(async () => {
    server = await startTestServer();
    await server.createDatabase('shop');
    await server.query(
      'shop',
      `create table customers (id int primary key, name text not null);
       create table orders (id int primary key, customer int not null references customers);
       create table notes (id int, note text);
       create index by_name on customers (name);
       insert into customers select i, 'customer ' || i from generate_series(1, 500) i;
       insert into orders select i, 1 + i % 500 from generate_series(1, 3000) i;
       insert into notes select i, 'note' from generate_series(1, 10) i`,
    );
    directory = mkdtempSync(join(tmpdir(), 'compare-'));
    writePlan(directory, '  db: { type: postgres, url: { env: DATABASE_URL } }');
    await initialise(directory);
    expect((await holdfast(directory, ['backup'], of('shop'))).exit).toBe(0);
  });
  afterAll(() => server?.stop());

  const of = (database: string): Record<string, string> => environment({ DATABASE_URL: server.url(database) });

  /** A copy of the database, in which something was done. */
  async function after(sql: string): Promise<string> {
    const database = `copy_${copies++}`;
    await server.createDatabase(database, 'template shop');
    await server.query(database, sql);
    return database;
  }

  async function differencesAfter(sql: string): Promise<Named[]> {
    const ran = await holdfast(directory, ['compare', 'db', '--json'], of(await after(sql)));
    expect([ran.exit, ran.stderr]).toEqual([4, '']);
    expect(document(ran).equal).toBe(false);
    return document(ran).differences;
  }

  it('finds an unchanged one equal, and records it', async () => {
    const ran = await holdfast(directory, ['compare', 'db', '--json'], of('shop'));
    expect([ran.exit, ran.stderr]).toEqual([0, '']);
    expect(document(ran)).toMatchObject({ source: 'db', equal: true, compared: 3, differences: [], notes: [] });
    const text = await holdfast(directory, ['compare', 'db', '--at', 'latest'], of('shop'));
    expect(text.stdout).toMatch(/^equal {2}db and the recovery point of .*3 items compared in .*, 0 differences$/ms);
  });

  it.each([
    ['a row that changed', `update customers set name = 'X' where id = 7`, ['content table public.customers']],
    ['a row more', `insert into notes values (11, 'more')`, ['rows table public.notes']],
    ['a row fewer', 'delete from notes where id = 3', ['rows table public.notes']],
    ['a table that was dropped', 'drop table notes', ['missing table public.notes']],
    ['a table that was emptied', 'truncate notes', ['rows table public.notes']],
    ['a table that is new', 'create table extra (i int)', ['extra table public.extra']],
    ['an index that is gone', 'drop index by_name', ['missing INDEX public by_name']],
    [
      'a column that was added, while the rows are the same',
      'alter table notes add column more text default 1',
      ['definition TABLE public notes', 'definition table public.notes'],
    ],
    [
      'a column that was dropped',
      'alter table notes drop column note',
      ['content table public.notes', 'definition TABLE public notes', 'definition table public.notes'],
    ],
  ])('names %s', async (_, sql, expected) => {
    expect(named(await differencesAfter(sql))).toEqual(expected);
  });

  it('names several things at once, with the counts of rows', async () => {
    const differences = await differencesAfter(
      `update customers set name = 'X' where id = 7; insert into orders values (3001, 7);
       drop table notes; create table extra as select 1 as one; alter table customers add column age int`,
    );
    expect(named(differences)).toEqual([
      'content table public.customers',
      'definition TABLE public customers',
      'definition table public.customers',
      'extra table public.extra',
      'missing table public.notes',
      'rows table public.orders',
    ]);
    const details = differences.map(({ item, detail }) => `${item} ${detail}`);
    expect(details).toContain('table public.orders has 3,001 rows, 1 more than the snapshot');
    expect(details).toContain('table public.notes is missing: the snapshot has 10 rows');
    expect(details).toContain('table public.customers has the column age, which the snapshot has not');
  });

  it('reads one moment of a database that is written to', async () => {
    const database = await after('select 1');
    let writing = true;
    const writes = (async () => {
      for (let id = 4000; writing; id++) {
        await server.query(database, `insert into orders values (${id}, 1); insert into notes values (${id}, 'hot')`);
      }
    })();
    const ran = await holdfast(directory, ['compare', 'db', '--json'], of(database));
    writing = false;
    await writes;
    expect(ran.exit, ran.stderr).toBe(4);
    const differences = document(ran).differences as { item: string; rows: { snapshot: number; found: number } }[];
    expect(differences.map(({ item }) => item).sort()).toEqual(['table public.notes', 'table public.orders']);
    const more = differences.map(({ rows }) => rows.found - rows.snapshot);
    // Both rows of a statement are there, or none.
    expect(more[0]).toBe(more[1]);
  });

  it('compares another database, without the living one', async () => {
    const url = server.url(`back_${copies++}`);
    const nowhere = environment({ DATABASE_URL: 'postgres://me:s3cr3t@127.0.0.1:9/shop' });
    expect((await holdfast(directory, ['restore', 'db', '--to', url], nowhere)).exit).toBe(0);
    const ran = await holdfast(directory, ['compare', 'db', '--with', url, '--json'], nowhere);
    expect([ran.exit, document(ran).equal]).toEqual([0, true]);
    const living = await holdfast(directory, ['compare', 'db', '--json'], nowhere);
    expect([living.exit, document(living).error.code]).toEqual([1, 'source-unreachable']);
    expect(living.stdout + living.stderr).not.toContain('s3cr3t');
  });

  it('compares a part alone, as a restore of it brings it', async () => {
    const name = `part_${copies++}`;
    const url = server.url(name);
    const compare = async (database: string, ...words: string[]) => {
      const ran = await holdfast(directory, ['compare', 'db', '--json', ...words], of(database));
      return [ran.exit, named(document(ran).differences ?? []), document(ran).error?.code];
    };
    const part = ['--only', 'public.orders'];
    expect((await holdfast(directory, ['restore', 'db', '--to', url, ...part], of('shop'))).exit).toBe(0);
    expect(await compare('shop', ...part, '--with', url)).toEqual([0, [], undefined]);
    expect((await compare('shop', '--with', url))[0]).toBe(4);
    await server.query(name, 'update orders set customer = 7 where id = 5; create index later on orders (customer)');
    expect(await compare('shop', ...part, '--with', url)).toEqual([
      4,
      ['content table public.orders', 'extra INDEX public later'],
      undefined,
    ]);
    const living = await after("drop table notes; insert into customers values (501, 'new')");
    expect(await compare(living, ...part)).toEqual([0, [], undefined]);
    expect(await compare(living, '--only', 'public.notes')).toEqual([4, ['missing table public.notes'], undefined]);
    expect(await compare(living, '--only', 'public.nothing')).toEqual([1, [], 'path-missing']);
  });

  it('refuses what it cannot compare with', async () => {
    const ran = await holdfast(directory, ['compare', 'db', '--with', './somewhere', '--json'], of('shop'));
    expect([ran.exit, document(ran).error.code]).toEqual([1, 'target-unsuitable']);
    const unknown = await holdfast(directory, ['compare', 'nothing', '--json'], of('shop'));
    expect([unknown.exit, document(unknown).error.code]).toEqual([2, 'unknown-source']);
    const without = await holdfast(directory, ['compare', 'db', '--at', '2001-01-01T00:00:00Z', '--json'], of('shop'));
    expect([without.exit, document(without).error.code]).toEqual([1, 'unknown-snapshot']);
  });
});

describe('the comparison of files with a recovery point', () => {
  async function backedUp(): Promise<{ directory: string; data: string }> {
    const directory = scratchDirectory();
    const data = join(directory, 'data');
    mkdirSync(join(data, 'deep'), { recursive: true });
    for (const name of ['one', 'two', 'three', 'deep/four']) writeFileSync(join(data, name), `contents of ${name}`);
    writeFileSync(join(data, 'cache.tmp'), 'not wanted');
    for (const path of [data, join(data, 'one')]) utimesSync(path, LONG_AGO, LONG_AGO);
    writePlan(directory, `  files: { type: files, paths: [${data}], exclude: ["*.tmp"] }`);
    await initialise(directory);
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    return { directory, data };
  }

  it('is of all of them', async () => {
    const { directory } = await backedUp();
    const ran = await holdfast(directory, ['compare', 'files', '--only', 'one', '--json']);
    expect([ran.exit, document(ran).error.code]).toEqual([2, 'bad-usage']);
  });

  it('finds them equal whatever lies beside them, and what the plan leaves out', async () => {
    const { directory, data } = await backedUp();
    writeFileSync(join(data, 'more.tmp'), 'not wanted either');
    utimesSync(data, LONG_AGO, LONG_AGO);
    const ran = await holdfast(directory, ['compare', 'files', '--json']);
    expect([ran.exit, document(ran).differences]).toEqual([0, []]);
    expect((await holdfast(directory, ['restore', 'files', '--to', 'back'])).exit).toBe(0);
    rmSync(data, { recursive: true });
    expect((await holdfast(directory, ['compare', 'files', '--with', 'back'])).exit).toBe(0);
  });

  it('names what changed, is gone, or is new', async () => {
    const { directory, data } = await backedUp();
    appendFileSync(join(data, 'one'), '!');
    utimesSync(join(data, 'one'), LONG_AGO, LONG_AGO);
    chmodSync(join(data, 'two'), 0o600);
    rmSync(join(data, 'deep'), { recursive: true });
    writeFileSync(join(data, 'new'), '');
    rmSync(join(data, 'three'));
    symlinkSync('two', join(data, 'three'));
    const ran = await holdfast(directory, ['compare', 'files', '--json']);
    expect(ran.exit).toBe(4);
    expect(named(document(ran).differences)).toEqual(
      [
        `content ${data}/one`,
        `content ${data}/three`,
        `extra ${data}/new`,
        `metadata ${data}`,
        `metadata ${data}/two`,
        `missing ${data}/deep`,
      ].sort(),
    );
    const text = await holdfast(directory, ['compare', 'files']);
    expect(text.stdout).toMatch(/^different {2}files and the recovery point of /);
    expect(text.stdout).toContain(`  -  ${data}/deep is missing\n`);
  });
});
