import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, vi } from 'vitest';
import { lockFile } from '../../src/foundation/file-lock.ts';
import type { Target } from '../../src/foundation/target.ts';
import { createSqliteSource } from '../../src/source/sqlite/index.ts';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { testDirectory } from '../support/repository.ts';
import { type Amount, describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

const FILLED: Record<Amount, string> = {
  nothing: '',
  some: `create table customers (id integer primary key, name text not null, photo blob) strict;
    create table orders (id integer primary key, customer int references customers, amount real, big int);
    create index by_customer on orders (customer);
    create view large as select * from orders where amount > 5;
    create virtual table notes using fts5 (body);
    insert into customers values (1, 'Grüße', x'00ff'), (2, '', null);
    insert into orders values (1, 1, -0.0, 9223372036854775807), (2, 1, 1e300, null);
    insert into notes values ('full text');
    pragma user_version = 7`,
  much: `create table readings (id integer primary key, value text);
    with recursive n (i) as (select 1 union all select i + 1 from n where i < 4000)
    insert into readings select i, hex(i) || printf('%.*c', 1000, 'x') from n`,
};

const directoryOf = (place: Target): string => (place.kind === 'directory' ? place.path : '');

function contentsOf(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const schema = database.prepare('select type, name, sql from sqlite_schema order by 1, 2').all();
    const tables = schema
      .filter(({ type }) => type === 'table')
      .map(({ name }) => {
        const statement = database.prepare(`select * from "${name}"`);
        statement.setReadBigInts(true);
        return [name, statement.all()];
      });
    return { schema, tables, version: database.prepare('pragma user_version').get() };
  } finally {
    database.close();
  }
}

describeSource('a SQLite database', async (): Promise<SourceUnderTest> => {
  const living = join(mkdtempSync(join(tmpdir(), 'living-')), 'app.sqlite');
  const source = (path = living) => createSqliteSource({ name: 'app', path, validate: [], version: '0.0.0' });
  const at = (place: Target | undefined): string =>
    place === undefined ? living : join(directoryOf(place), 'app.sqlite');
  return {
    async source(amount) {
      rmSync(living, { force: true });
      const database = new DatabaseSync(living);
      database.exec(`vacuum; ${FILLED[amount]}`);
      database.close();
      return source();
    },
    gone: () => source(join(living, 'not-there')),
    details: {
      ...{ format: 'sqlite-database', file: 'app.sqlite', userVersion: 7 },
      tables: expect.arrayContaining([expect.objectContaining({ name: 'orders', rows: 2 })]) as unknown,
    },
    place: async () => ({ kind: 'directory', path: join(mkdtempSync(join(tmpdir(), 'place-')), 'new') }),
    wrongPlaces: [{ kind: 'database', url: 'postgres://localhost/none', label: 'a database', sandbox: false }],
    async occupy(place) {
      const database = new DatabaseSync(join(directoryOf(place).replace(/new$/, ''), 'other'));
      database.exec('create table other (id int)');
      database.close();
      rmSync(directoryOf(place), { recursive: true, force: true });
      mkdirSync(directoryOf(place));
      copyFileSync(join(directoryOf(place).replace(/new$/, ''), 'other'), at(place));
    },
    contents: async (place) => contentsOf(at(place)),
    async alter(place) {
      const database = new DatabaseSync(at(place));
      database.exec('update orders set amount = 3 where id = 2');
      database.close();
    },
  };
});

describe('a SQLite database in use', () => {
  it('is captured as one moment of it while somebody writes, and comes back with its mode beside no old log', async () => {
    const directory = testDirectory();
    const path = join(directory, 'app.sqlite');
    const plan = join(directory, 'holdfast.yaml');
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    const checks = `[{ name: both, sql: "select (select count(*) from a) = (select count(*) from b)" }, { name: none, sql: "select count(*) from a where n < 0" }]`;
    writePlan(directory, `  app: { type: sqlite, path: ${path}, validate: ${checks} }`);
    await initialise(directory);
    const writer = new DatabaseSync(path);
    writer.exec('pragma journal_mode = wal; pragma synchronous = off; create table a (n int); create table b (n int)');
    const write = () => writer.exec('begin; insert into a values (1); insert into b values (1); commit');
    const many = 'with recursive n (i) as (select 1 union all select i + 1 from n where i < 2000)';
    writer.exec(`begin; ${many} insert into a select 1 from n; ${many} insert into b select 1 from n; commit`);
    chmodSync(path, 0o640);
    const writing = setInterval(write, 1);
    const [{ outcome }] = (await runHere(plan, 'backup')).json.sources;
    clearInterval(writing);
    expect(outcome).toBe('complete');
    const rowsNow = writer.prepare('select count(*) as rows from a').get()!['rows'];
    const verified = await runHere(plan, 'verify');
    expect(verified.exit).toBe(4);
    expect(verified.json.proofs[0].checksFailed).toEqual(['validate: none']);
    const to = join(directory, 'back');
    // What a restore that is under way has, and one that was killed has left.
    const left = join(to, '.holdfast-app.sqlite');
    mkdirSync(to);
    writeFileSync(left, 'half of it');
    const other = openSync(left, 'r');
    expect(lockFile(other)).toBe(true);
    const busy = await runHere(plan, 'restore', 'app', '--to', to);
    expect([busy.json.error.code, readdirSync(to)]).toEqual(['target-unsuitable', ['.holdfast-app.sqlite']]);
    closeSync(other);
    expect((await runHere(plan, 'restore', 'app', '--to', to)).exit).toBe(0);
    expect(existsSync(left)).toBe(false);
    expect(statSync(join(to, 'app.sqlite')).mode & 0o777).toBe(0o640);
    const back = new DatabaseSync(join(to, 'app.sqlite'), { readOnly: true });
    const { a, b } = back.prepare('select (select count(*) from a) as a, (select count(*) from b) as b').get()!;
    back.close();
    expect(a).toBe(b);
    expect(a).toBeGreaterThanOrEqual(2000);
    expect(a).toBeLessThanOrEqual(rowsNow as number);
    const part = (await runHere(plan, 'backup', 'app', '--only', 'a')).json.sources[0];
    expect(part).toMatchObject({ outcome: 'failed', error: { code: 'source-unsupported' } });
    // In place: the file is gone, and the log that it left would be played back onto another one.
    rmSync(path);
    expect(existsSync(`${path}-wal`)).toBe(true);
    const refused = await runHere(plan, 'restore', 'app', '--to', directory);
    expect(refused.json.error).toMatchObject({ code: 'target-not-empty', context: { path: `${path}-wal` } });
    expect(existsSync(path)).toBe(false);
    writer.close();
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    expect((await runHere(plan, 'restore', 'app', '--to', directory)).exit).toBe(0);
    expect(readdirSync(directory).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
    vi.unstubAllEnvs();
  });

  it.skipIf(process.getuid?.() !== 0)('comes back with its owner, and whole to who may give no file away', async () => {
    const directory = testDirectory();
    const path = join(directory, 'app.sqlite');
    const plan = join(directory, 'holdfast.yaml');
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    const database = new DatabaseSync(path);
    database.exec('create table a (n int)');
    database.close();
    chownSync(path, 12_345, 12_345);
    writePlan(directory, `  app: { type: sqlite, path: ${path} }`);
    await initialise(directory);
    await runHere(plan, 'backup');
    const restored = async (name: string) => {
      const { exit } = await runHere(plan, 'restore', 'app', '--to', join(directory, name));
      return [exit, statSync(join(directory, name, 'app.sqlite')).uid];
    };
    expect(await restored('root')).toEqual([0, 12_345]);
    const user = vi.spyOn(process, 'getuid').mockReturnValue(1000);
    expect(await restored('other')).toEqual([0, 0]);
    user.mockRestore();
    vi.unstubAllEnvs();
  });

  it('is no backup where it is damaged, and says so', async () => {
    const directory = testDirectory();
    const path = join(directory, 'app.sqlite');
    const database = new DatabaseSync(path);
    database.exec(`create table a (n int, text text); create index by_n on a (n);
      with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000) insert into a select i, 'row ' || i from n`);
    database.close();
    const handle = await open(path, 'r+');
    await handle.write(Buffer.alloc(4096, 0xee), 0, 4096, 8 * 4096);
    await handle.close();
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    writePlan(
      directory,
      `  app: { type: sqlite, path: ${path} }\n  text: { type: sqlite, path: ${directory}/holdfast.yaml }`,
    );
    await initialise(directory);
    const { exit, json } = await runHere(join(directory, 'holdfast.yaml'), 'backup');
    expect(exit).toBe(1);
    expect(json.sources.map(({ error }: { error: { code: string } }) => error.code)).toEqual([
      'source-damaged',
      'source-damaged',
    ]);
    vi.unstubAllEnvs();
  });
});
