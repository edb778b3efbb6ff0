/** Several sources as they were at one moment, under a writer that writes the same to all of them. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { environment, initialise, PASSWORD, startHoldfast, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { serverDirectory, startDirectory } from '../support/data-directory.ts';
import { until } from '../support/followed.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

const EXISTS =
  '{ name: uploads exist, sql: { source: db, query: "select path from uploads" }, existsIn: { source: uploads } }';
const EXEC = `{ name: both are there, exec: [sh, -c, 'test -d "$HOLDFAST_SANDBOX_UPLOADS" && test "\${sandbox.db}" = "$HOLDFAST_SANDBOX_DB" && psql -At "$HOLDFAST_SANDBOX_DB" -c "select 1"'] }`;

describe.skipIf(!requires('postgresql', 'pg_dump', 'redis'))('a group of sources', () => {
  const directory = testDirectory();
  const uploads = join(directory, 'uploads');
  let server: TestServer;
  let client: pg.Client;
  let redis: RedisServer;
  let marker = 0;

  const run = (...words: string[]) => runHere(join(directory, 'holdfast.yaml'), ...words);

  beforeAll(async () => {
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    server = await startTestServer({
      settings: { wal_level: 'replica', max_wal_senders: 6, max_replication_slots: 2 },
    });
    vi.stubEnv('DATABASE_URL', await server.createDatabase('shop'));
    await server.query('shop', 'create table uploads (id int primary key, path text, written bigint)');
    client = new pg.Client({ connectionString: server.url('shop') });
    await client.connect();
    redis = await RedisServer.start();
    vi.stubEnv('REDIS_URL', redis.url);
    mkdirSync(uploads);
    writePlan(
      directory,
      `  uploads: { type: files, paths: [${uploads}] }
  sessions: { type: redis, url: { env: REDIS_URL } }
  db: { type: postgres, url: { env: DATABASE_URL } }`,
      `groups:\n  shop: { sources: [uploads, db, sessions], order: [db, sessions], maxSkew: 10m, validate: [${EXISTS}, ${EXEC}] }`,
    );
    await initialise(directory);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await client?.end();
    await redis?.stop();
    await server?.stop();
  });

  /** The file first: what the database names is there. */
  async function write(): Promise<void> {
    const [id, written] = [marker++, Date.now()];
    writeFileSync(join(uploads, `${id}`), String(written));
    await client.query('insert into uploads values ($1, $2, $3)', [id, `${id}`, written]);
    await redis.call('SET', `marker:${id}`, String(written));
  }

  async function underWriter<T>(work: () => Promise<T>): Promise<T> {
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await write();
        await sleep(5);
      }
    })();
    try {
      return await work();
    } finally {
      isOver = true;
      await writing;
    }
  }

  const newestFile = (place: string): number =>
    Math.max(...readdirSync(place).map((name) => Number(readFileSync(join(place, name), 'utf8'))));

  it('comes back as it was at one moment, with nothing newer in any part, and says how far each is before it', async () => {
    await write();
    const { json: together, exit: taken } = await underWriter(() => run('backup', '--group', 'shop'));
    expect([taken, together.sources.length]).toEqual([0, 3]);
    expect(together.spreadMs).toBeGreaterThanOrEqual(0);
    const at = new Date();
    await underWriter(async () => {
      await sleep(30);
      await run('backup');
    });
    await server.createDatabase('back');
    const target = await RedisServer.start();
    const to = join(directory, 'back');
    const words = [
      '--group',
      'shop',
      '--at',
      at.toISOString(),
      '--to',
      to,
      '--to',
      `db=${server.url('back')}`,
      '--to',
      `sessions=${target.url}`,
    ];
    const { exit, json } = await run('restore', ...words);
    expect(json.members).toMatchObject([
      { source: 'db', outcome: 'complete', target: expect.stringMatching(/^postgres(ql)?:/) },
      { source: 'sessions', outcome: 'complete' },
      { source: 'uploads', outcome: 'complete', target: join(to, 'uploads') },
    ]);
    expect([exit, json.at]).toEqual([0, at.toISOString()]);
    const [newest] = await server.query('back', 'select max(written)::float as ms, count(*)::int as n from uploads');
    expect(newest!['ms']).toBeLessThanOrEqual(at.getTime());
    expect(newest!['n']).toBeGreaterThan(1);
    expect(newestFile(join(to, 'uploads', uploads))).toBeLessThanOrEqual(at.getTime());
    const keys = (await target.call('KEYS', 'marker:*')) as unknown[];
    const markers = await Promise.all(keys.map((key) => target.text('GET', String(key))));
    await target.stop();
    expect(markers.length).toBeGreaterThan(1);
    expect(Math.max(...markers.map(Number))).toBeLessThanOrEqual(at.getTime());
    for (const { point } of json.members) {
      expect(point.skewMs).toBe(at.getTime() - Date.parse(point.time));
      expect(point.skewMs).toBeGreaterThan(0);
      expect(point.isCoordinated).toBe(true);
    }
    expect(json.skewMs).toBe(Math.max(...json.members.map(({ point }: { point: { skewMs: number } }) => point.skewMs)));
  });

  it('comes back to a moment between its backups where logs are followed, with all that was acknowledged by then', async () => {
    const plan = join(directory, 'followed.yaml');
    writeFileSync(
      plan,
      readFileSync(join(directory, 'holdfast.yaml'), 'utf8')
        .replace('name: test', 'name: followed')
        .replace('env: REDIS_URL }', '$&, stream: true')
        .replace('type: postgres', '$&, method: physical, wal: stream'),
    );
    const runFollowed = (...words: string[]) => runHere(plan, ...words);
    const words = ['--plan', plan, 'follow', '--every', '1s'];
    const { DATABASE_URL = '', REDIS_URL = '' } = process.env;
    const following = startHoldfast(directory, words, environment({ DATABASE_URL, REDIS_URL }));
    await until(async () => {
      const [slot] = await server.query('postgres', 'select active from pg_replication_slots');
      return slot?.['active'] === true && /connected_slaves:1/.test(await redis.text('INFO', 'replication'));
    });
    expect((await underWriter(() => runFollowed('backup', '--group', 'shop'))).exit).toBe(0);
    const inBackup = marker;
    await underWriter(() => sleep(300));
    const known = marker;
    await sleep(250);
    const at = new Date();
    await sleep(250);
    await underWriter(async () => {
      expect((await runFollowed('backup')).exit).toBe(0);
    });
    following.child.kill('SIGINT');
    const { stderr: followed } = await following.done;
    const target = await RedisServer.start();
    const to = join(await serverDirectory(), 'back');
    const { exit, json, said } = await runFollowed(
      ...['restore', '--group', 'shop', '--at', at.toISOString(), '--to', to, '--to', `sessions=${target.url}`],
    );
    expect(exit, `${said}${followed}`).toBe(0);
    expect(json.members).toMatchObject([
      { source: 'db', outcome: 'complete', target: join(to, 'db') },
      { source: 'sessions', outcome: 'complete' },
      { source: 'uploads', outcome: 'complete' },
    ]);
    const points = json.members.map(({ point }: { point: { time: string; skewMs: number } }) => point);
    const skews = points.map(({ time }: { time: string }) => at.getTime() - Date.parse(time));
    expect(points.map(({ skewMs }: { skewMs: number }) => skewMs)).toEqual(skews);
    // A log leads to the millisecond; files are those of the backup before.
    expect(skews.map((ms: number) => [ms >= 0, ms <= 1])).toEqual([
      [true, true],
      [true, true],
      [true, false],
    ]);
    expect(json.skewMs).toBe(skews[2]);
    const all = Array.from({ length: known }, (_, id) => id);
    const keys = ((await target.call('KEYS', 'marker:*')) as unknown[]).map((key) => Number(String(key).slice(7)));
    await target.stop();
    expect(keys.sort((one, other) => one - other)).toEqual(all);
    const restored = await startDirectory(`/usr/lib/postgresql/${server.majorVersion}/bin`, join(to, 'db'));
    const rows = await restored.query('select id from uploads order by id', 'shop');
    await restored.stop();
    expect(rows.map(({ id }) => id)).toEqual(all);
    const uploaded = readdirSync(join(to, 'uploads', uploads)).length;
    expect(uploaded).toBeGreaterThan(1);
    expect(uploaded).toBeLessThanOrEqual(inBackup);
    expect(newestFile(join(to, 'uploads', uploads))).toBeLessThanOrEqual(at.getTime());
    expect([inBackup < known, known < marker]).toEqual([true, true]);
  }, 90_000);

  it('keeps what came back where one part does not, and says which and why', async () => {
    const to = join(directory, 'partial');
    mkdirSync(join(to, 'uploads'), { recursive: true });
    writeFileSync(join(to, 'uploads', 'other'), '');
    const { exit, json } = await run('restore', '--group', 'shop', '--to', to);
    expect(exit).toBe(3);
    expect(json.members).toMatchObject([
      { source: 'db', outcome: 'complete' },
      { source: 'sessions', outcome: 'complete' },
      { source: 'uploads', outcome: 'failed', error: { code: 'target-not-empty' } },
    ]);
    expect(existsSync(join(to, 'db', 'toc.dat'))).toBe(true);
    const before = await run(
      'restore',
      '--group',
      'shop',
      '--at',
      '2020-01-01T00:00:00Z',
      '--to',
      join(directory, 'none'),
    );
    expect(before.exit).toBe(1);
    expect(before.json.members.map(({ error }: { error: { code: string } }) => error.code)).toEqual([
      'unknown-snapshot',
      'unknown-snapshot',
      'unknown-snapshot',
    ]);
    expect(existsSync(join(directory, 'none'))).toBe(false);
  });

  it('is proven together, and its own checks see what one source alone cannot', async () => {
    // Whatever was under way has come to both.
    await run('backup', '--group', 'shop');
    const proven = await run('verify', '--group', 'shop');
    expect(proven.json.checks).toMatchObject([
      { name: 'skew', result: 'passed' },
      { name: 'validate: uploads exist', result: 'passed', detail: expect.stringMatching(/^all \d+ are among/) },
      { name: 'validate: both are there', result: 'passed' },
    ]);
    expect([proven.exit, proven.json.state]).toEqual([0, 'proven']);
    rmSync(join(uploads, '0'));
    await client.query(`insert into uploads values (-1, '../../etc/passwd', 0)`);
    await run('backup', '--group', 'shop');
    const failed = await run('verify', '--group', 'shop');
    expect([failed.exit, failed.json.state]).toEqual([4, 'failed']);
    expect(failed.json.members.map(({ proof }: { proof: { state: string } }) => proof.state)).toEqual([
      'proven',
      'proven',
      'proven',
    ]);
    const [, exists] = failed.json.checks;
    expect(exists.detail).toMatch(/^2 of \d+ are not among the files of uploads: 0, \.\.\/\.\.\/etc\/passwd$/);
  });

  it('has a history of its tables, which tells the last backup before one was dropped', async () => {
    await client.query('create table orders (id int); insert into orders select generate_series(1, 9)');
    const backUp = async () => (await run('backup', 'db')).json.sources[0].snapshot;
    const last = await backUp();
    await client.query('drop table orders');
    await backUp();
    const { json } = await run('history', 'db', 'orders');
    const before = { snapshot: last, count: 9, unit: 'rows' };
    expect(json.losses).toMatchObject([{ item: 'public.orders', kind: 'vanished', before }]);
    expect((await run('history', 'db')).json.points.at(-1).items).toMatchObject([
      { item: 'public.uploads', count: marker + 1, unit: 'rows' },
    ]);
  });

  it.each([
    [['restore', '--group', 'shopp', '--to', 'x'], 'unknown-group'],
    [['restore', '--group', 'shop'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'db=x'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--to', 'y'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--to', 'nobody=y'], 'bad-usage'],
    [['restore', 'db', '--group', 'shop', '--to', 'x'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--replace'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--estimate'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--diff'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--create'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--ramp-up'], 'bad-usage'],
    [['restore', '--group', 'shop', '--to', 'x', '--at', '2999-01-01T00:00:00Z'], 'bad-usage'],
    [['restore', 'db', '--to', 'x', '--to', 'y'], 'bad-usage'],
    [['backup', 'db', '--group', 'shop'], 'bad-usage'],
    [['backup', '--estimate', '--group', 'shop'], 'bad-usage'],
    [['backup', 'uploads', '--estimate', '--only', 'x'], 'bad-usage'],
    [['verify', 'db', '--group', 'shop'], 'bad-usage'],
    [['verify', '--group', 'shop', '--sandbox', 'nowhere'], 'bad-usage'],
  ])('is not made of what makes no sense: %j', async (words, code) => {
    const { exit, json } = await run(...words);
    expect([exit, json.error.code]).toEqual([2, code]);
  });
});
