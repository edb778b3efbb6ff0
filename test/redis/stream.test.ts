import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { againAfterFold, StoredLog } from '../../src/operations/log/stored-log.ts';
import { listSnapshots, openRepository, type Repository, type StoredSnapshot } from '../../src/repository/index.ts';
import { readManifest } from '../../src/source/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { environment, initialise, PASSWORD, startHoldfast, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { until } from '../support/followed.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory, withReader } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

interface Marker {
  sentMs: number;
  answeredMs: number;
}

const time = (ms: number): string => new Date(ms).toISOString();

describe.skipIf(!requires('redis', 'restic'))('a Redis server with a stream', { timeout: 60_000 }, () => {
  const directory = testDirectory();
  const plan = join(directory, 'holdfast.yaml');
  const others: RedisServer[] = [];
  let server: RedisServer;
  let repository: Repository;
  let following: ReturnType<typeof startHoldfast>;
  const markers: Marker[] = [];
  /** In the middle of a pause of the markers, while all else goes on. */
  let momentMs = 0;

  function follow(): ReturnType<typeof startHoldfast> {
    const words = ['follow', '--every', '1s', '--fold-after', '6s'];
    return startHoldfast(directory, words, environment({ REDIS_URL: server.url }));
  }

  /** Counts up two numbers together without end, over a connection of its own. */
  function load(): { stop(): Promise<void> } {
    let isOver = false;
    const done = (async () => {
      while (!isOver) {
        await server.call('EVAL', `redis.call('INCR', 'a') redis.call('INCR', 'b')`, 0);
        await sleep(2);
      }
    })();
    return {
      stop: () => {
        isOver = true;
        return done;
      },
    };
  }

  async function mark(): Promise<void> {
    const sentMs = Date.now();
    await server.call('RPUSH', 'markers', sentMs);
    markers.push({ sentMs, answeredMs: Date.now() });
    await sleep(5);
  }

  async function snapshots(kind: string): Promise<StoredSnapshot[]> {
    return (await listSnapshots(repository)).filter(({ tags }) => tags?.includes(kind));
  }

  /** Waits until the log in the repository is all that there was at a moment. */
  async function coveredUntil(ms: number): Promise<void> {
    const covered = async (): Promise<number> => {
      const log = await StoredLog.read(repository, { plan: 'test', source: 'cache' }, () => listSnapshots(repository));
      const { system } = log.entries[0] ?? log.folded[0] ?? { system: '' };
      const end = log.positionOf(system);
      return (end && (await log.coveredUntilMs(system, end))) ?? 0;
    };
    await until(async () => (await againAfterFold(covered)) > ms);
  }

  beforeAll(async () => {
    server = await RedisServer.start(['--repl-backlog-size', '64kb']);
    writePlan(directory, '  cache: { type: redis, url: { env: REDIS_URL }, stream: true }');
    await initialise(directory);
    for (const [name, value] of Object.entries(environment({ REDIS_URL: server.url }))) vi.stubEnv(name, value);
    following = follow();
    repository = await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD);
    await until(async () => (await snapshots('kind:base')).length > 0);
    const loading = load();
    for (let index = 0; index < 30; index++) await mark();
    await sleep(250);
    momentMs = Date.now();
    await sleep(250);
    for (let index = 0; index < 10; index++) await mark();
    expect((await runHere(plan, 'backup')).exit).toBe(0);
    await loading.stop();
    await coveredUntil(Date.now());
  });

  afterEach(async () => {
    for (const each of others.splice(0)) await each.stop();
  });
  afterAll(async () => {
    following.child.kill('SIGKILL');
    await server.stop();
    vi.unstubAllEnvs();
  });

  /** No marker is newer than the moment, none that was answered before is lost, and no transaction is cut. */
  async function expectMoment(restored: RedisServer): Promise<void> {
    const found = (await restored.call('LRANGE', 'markers', 0, -1)) as Buffer[];
    expect(found.map(String)).toEqual(
      markers.filter(({ answeredMs }) => answeredMs < momentMs).map(({ sentMs }) => String(sentMs)),
    );
    const [a, b] = (await restored.call('MGET', 'a', 'b')) as Buffer[];
    expect(String(a)).toBe(String(b));
    expect(Number(a)).toBeGreaterThan(30);
    expect(Number(a)).toBeLessThan(Number(await server.text('GET', 'a')));
  }

  async function other(settings: string[] = [], place?: string): Promise<RedisServer> {
    const started = await RedisServer.start(settings, place);
    others.push(started);
    return started;
  }

  it('is restored to a moment between two backups on a running server', async () => {
    expect(markers.filter(({ answeredMs }) => answeredMs < momentMs)).toHaveLength(30);
    const target = await other();
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', target.url, '--at', time(momentMs));
    expect(exit).toBe(0);
    expect(json).toMatchObject({ time: time(momentMs), recovered: { to: time(momentMs) } });
    await expectMoment(target);
    expect(await target.text('ROLE')).toMatch(/^master/);
  });

  it('is restored to the very moment of its first backup, to which no stream leads', async () => {
    const [first] = await snapshots('kind:base');
    const place = join(testDirectory(), 'data');
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', place, '--at', first!.time);
    // The same moment: what is listed has as many digits of a second as it needs.
    expect([exit, json.snapshot, Date.parse(json.time)]).toEqual([0, first!.id, Date.parse(first!.time)]);
    // By the server's clock, which is not ours to the millisecond, the backup may be of another moment.
    const { log } = await withReader(repository, readManifest, first!.id);
    const before = new Date(Math.min(Date.parse(first!.time), Date.parse(log!.time)) - 1).toISOString();
    const refused = await runHere(plan, 'restore', 'cache', '--to', `${place}-2`, '--at', before);
    expect([refused.exit, refused.json.error.code]).toEqual([1, 'unknown-snapshot']);
  });

  it('is restored to it as a dump.rdb that a server loads', async () => {
    const place = join(testDirectory(), 'data');
    expect((await runHere(plan, 'restore', 'cache', '--to', place, '--at', time(momentMs))).exit).toBe(0);
    expect(readdirSync(place)).toEqual(['dump.rdb']);
    expect(statSync(join(place, 'dump.rdb')).mode & 0o777).toBe(0o600);
    await expectMoment(await other([], place));
  });

  it('is restored to it as an append-only file where no server is here, which is no complete restore', async () => {
    const place = join(testDirectory(), 'data');
    vi.stubEnv('HOLDFAST_REDIS_BIN', '/nonexistent');
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', place, '--at', time(momentMs));
    vi.stubEnv('HOLDFAST_REDIS_BIN', '');
    expect(exit).toBe(3);
    expect(json.unrecovered).toMatchObject({
      to: time(momentMs),
      log: join(place, 'appendonly.aof'),
      next: expect.stringMatching(/--appendonly yes/),
    });
    await expectMoment(await other(['--appendonly', 'yes'], place));
  });

  it('has its stream in snapshots that stock restic takes for good, and no hole', async () => {
    await until(async () => (await snapshots('kind:wal')).length > 0);
    resticCheck(join(directory, 'repository'));
    expect((await runHere(plan, 'check')).exit).toBe(0);
  });

  it('is proven at that moment, and at any', async () => {
    for (const words of [
      ['--at', time(momentMs)],
      ['--pick', 'random'],
    ]) {
      const { exit, json } = await runHere(plan, 'verify', 'cache', ...words);
      expect([exit, json.proofs[0].state]).toEqual([0, 'proven']);
      expect(json.proofs[0].checks.map(({ name }: { name: string }) => name)).toEqual(['manifest', 'stream']);
    }
  });

  it('differs from the living one at that moment, in what came since', async () => {
    const { exit, json } = await runHere(plan, 'compare', 'cache', '--at', time(momentMs));
    expect(exit).toBe(4);
    const items = json.differences
      .map(({ item }: { item: string }) => item)
      .filter((item: string) => item.startsWith('key'));
    expect(items.sort()).toEqual(['key 0:a', 'key 0:b', 'key 0:markers']);
  });

  it('is not restored to what another server cannot do, as if it had been', async () => {
    await server.call('SELECT', 12);
    await server.call('SET', 'far', 'away');
    await server.call('SELECT', 0);
    const setMs = Date.now();
    await coveredUntil(setMs);
    const target = await other(['--databases', '2']);
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', target.url);
    expect([exit, json.error.code]).toEqual([1, 'target-failed']);
    expect(json.error.message).toMatch(/could not do \d of the commands/);
  });

  it('has a gap where its follower was away for too long, which is said, and another backup behind it', async () => {
    following.child.kill('SIGKILL');
    await following.done;
    const before = (await snapshots('kind:base')).length;
    const away = { fromMs: Date.now(), untilMs: 0 };
    await sleep(50);
    for (let index = 0; index < 30; index++) await server.call('SET', `filler ${index}`, 'x'.repeat(4000));
    away.untilMs = Date.now();
    following = follow();
    await until(async () => (await snapshots('kind:base')).length > before);
    // Behind the end of that backup: what was captured until a moment before it does not lead on from it yet.
    await coveredUntil(Date.now());
    const lost = await runHere(plan, 'verify', 'cache', '--at', time(away.untilMs));
    expect([lost.exit, lost.json.error.code]).toEqual([1, 'log-missing']);
    expect((await runHere(plan, 'check')).exit).toBe(0);
    const [status] = (await runHere(plan, 'status')).json.sources;
    expect(Date.parse(status.log.time)).toBeGreaterThan(away.untilMs);
    following.child.kill('SIGINT');
    expect((await following.done).stderr).toMatch(/GAP: what was captured ends at/);
  });
});
