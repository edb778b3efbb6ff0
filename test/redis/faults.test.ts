import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { listSnapshots, type Repository } from '../../src/repository/index.ts';
import type { RestoreContext } from '../../src/source/index.ts';
import { createRedisSource } from '../../src/source/redis/index.ts';
import { Crc64 } from '../../src/source/redis/rdb/bytes.ts';
import { fillRedis, rdbOf, startRedis, type TestRedis } from '../support/redis.ts';
import { testRepository, withReader, writeFile, writeSnapshot } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

/** What happens to the bytes that a server sends. @param at how many came before */
type Mishap = (bytes: Buffer, at: number, socket: Socket) => Buffer;

/** Stands between, and changes what the server sends. */
async function between(server: TestRedis, mishap: Mishap): Promise<{ url: string; proxy: Server }> {
  const proxy = createServer((socket) => {
    const behind = connectTo(server.port, '127.0.0.1');
    let at = 0;
    behind.on('data', (bytes: Buffer) => {
      const changed = mishap(Buffer.from(bytes), at, socket);
      at += bytes.length;
      if (!socket.destroyed) socket.write(changed);
    });
    socket.on('data', (bytes) => behind.write(bytes));
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { url: `redis://127.0.0.1:${(proxy.address() as { port: number }).port}`, proxy };
}

const signal = new AbortController().signal;
const context = {
  clock: systemClock,
  progress: noProgress,
  signal,
  scratchDirectory: mkdtempSync(join(tmpdir(), 'redis-faults-')),
} satisfies RestoreContext;

function sourceAt(url: string) {
  return createRedisSource({ name: 'cache', url: async () => url, method: 'replication', validate: [], version: '0' });
}

/** Captures into a snapshot, as the operation does. */
async function capture(repository: Repository, url: string): Promise<void> {
  await writeSnapshot(repository, async (writer) => {
    const { roots, manifest } = await sourceAt(url).capture(writer, { ...context, previous: undefined });
    return [...roots, await manifestDirectory(writer, manifest)];
  });
}

async function manifestDirectory(writer: Parameters<typeof writeFile>[0], manifest: object) {
  const file = await writeFile(writer, 'manifest.json', Buffer.from(JSON.stringify(manifest)));
  const subtree = await writer.saveTree([file]);
  return { name: '.holdfast', type: 'dir' as const, mode: 2 ** 31 + 0o700, content: null, subtree };
}

/** A snapshot that says it was captured, of an RDB that was not. */
async function forge(repository: Repository, rdb: Buffer, details: object): Promise<void> {
  await writeSnapshot(repository, async (writer) => {
    const subtree = await writer.saveTree([await writeFile(writer, 'dump.rdb', rdb)]);
    const data = { name: 'data', type: 'dir' as const, mode: 2 ** 31 + 0o700, content: null, subtree };
    const all = { format: 'rdb', rdbVersion: 10, isValkeyRdb: false, sizeBytes: rdb.length, counts: [], ...details };
    const more = { server: 'Redis', serverVersion: '7.0.0', keys: 3, expiring: 0, functions: 1, moduleFacts: 0 };
    const manifest = { version: 1, details: { ...all, ...more, notes: [], content: 'other', verifier: 1 } };
    return [data, await manifestDirectory(writer, manifest)];
  });
}

function restoreTo(repository: Repository, server: TestRedis): Promise<unknown> {
  const target = { kind: 'database', url: server.url, label: 'target', sandbox: false } as const;
  return withReader(repository, (reader) => sourceAt('redis://nowhere').restore(reader, target, context));
}

describe.skipIf(!requires('redis'))('a Redis server', () => {
  let server: TestRedis;
  let target: TestRedis;
  let repository: Repository;
  let rdb: Buffer;

  beforeAll(async () => {
    [server, target] = await Promise.all([startRedis(), startRedis()]);
    await fillRedis(server);
    rdb = await rdbOf(server);
  });
  afterAll(() => Promise.all([server.stop(), target.stop()]));
  beforeEach(async () => {
    repository = await testRepository();
    await target.run('FLUSHALL');
    await target.run('FUNCTION', 'FLUSH');
  });

  it.each<[string, string, Mishap]>([
    [
      'dies in the middle of its RDB',
      'source-lost|source-damaged',
      (bytes, at, socket) => {
        if (at > 40_000) socket.destroy();
        return bytes;
      },
    ],
    [
      'sends a byte that is another one',
      'source-damaged',
      (bytes, at) => {
        if (at > 40_000) bytes[bytes.length >> 1]! ^= 1;
        return bytes;
      },
    ],
    [
      'sends an RDB of a version to come',
      'source-unsupported',
      (bytes) => {
        const head = bytes.indexOf('REDIS00');
        if (head >= 0) bytes.write('REDIS0099', head, 'latin1');
        return bytes;
      },
    ],
  ])('that %s leaves no backup', async (_, code, mishap) => {
    const { url, proxy } = await between(server, mishap);
    const failed = await capture(repository, url).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    proxy.close();
    expect(failed).toMatch(new RegExp(`^(?:${code})$`));
    expect(await listSnapshots(repository)).toEqual([]);
  });

  it('that says nothing is given up, and so is one that is not there', async () => {
    const { proxy, url } = await between(server, () => Buffer.alloc(0));
    const impatient = AbortSignal.timeout(300);
    const examined = sourceAt(url).examine({ signal: impatient, longestGapMs: undefined });
    await expect(examined).rejects.toMatchObject({ name: 'TimeoutError' });
    proxy.close();
    await expect(capture(repository, 'redis://127.0.0.1:1')).rejects.toMatchObject({ code: 'source-unreachable' });
  });

  it('gets nothing of a snapshot that is damaged, or that would end it', async () => {
    const broken = Buffer.from(rdb);
    broken[broken.length - 60]! ^= 1;
    await forge(repository, broken, {});
    await expect(restoreTo(repository, target)).rejects.toMatchObject({ code: 'repository-damaged' });

    const entry = Buffer.concat([Buffer.of(0, 1), Buffer.from('k'), Buffer.of(1), Buffer.from('v')]);
    const twice = Buffer.concat([Buffer.from('REDIS0010'), Buffer.of(254, 0), entry, entry, Buffer.of(255)]);
    const crc = new Crc64();
    crc.add(twice);
    await forge(repository, Buffer.concat([twice, crc.digest()]), {});
    await expect(restoreTo(repository, target)).rejects.toMatchObject({ message: expect.stringContaining('twice') });

    await forge(repository, rdb, { rdbVersion: 79 });
    await expect(restoreTo(repository, target)).rejects.toMatchObject({ code: 'target-unsuitable' });
    expect(await target.run('DBSIZE')).toBe(0);
    expect(String(await target.run('INFO', 'replication'))).toContain('role:master');
  });

  it('gets all of a backup that takes it a while to load, during which it says that it lives', async () => {
    // It says so once it has loaded two megabytes; much is to come behind them.
    await server.run('CONFIG', 'SET', 'rdbcompression', 'no');
    await server.run('DEBUG', 'POPULATE', 40, 'long', 1_000_000);
    await capture(repository, server.url);
    expect(await restoreTo(repository, target)).toMatchObject({ problems: [], items: 64 });
    expect(await target.digest()).toBe(await server.digest());
    await server.run('FLUSHALL');
    await fillRedis(server);
  });

  it('that dies while it is restored to is a failure, and takes the same backup afterwards', async () => {
    await capture(repository, server.url);
    const fragile = await startRedis(['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024']);
    const restoring = restoreTo(repository, fragile);
    const died = expect(restoring).rejects.toMatchObject({ code: 'target-failed' });
    const dying = setInterval(() => {
      if (fragile.log().includes('Loading DB in memory')) fragile.child.kill('SIGKILL');
    }, 20);
    await died;
    clearInterval(dying);
    await fragile.stop();
    await restoreTo(repository, target);
    expect(await target.digest()).toBe(await server.digest());
  });

  it('whose functions may not be read leaves no backup that lacks them', async () => {
    const allowed = ['+info', '+time', '+select', '+scan', '+dump', '+pexpiretime', '+pttl'];
    await server.run('ACL', 'SETUSER', 'scanner', 'on', '>pw', '~*', '-@all', ...allowed);
    const source = createRedisSource({
      ...{ name: 'cache', url: async () => server.url.replace('//', '//scanner:pw@'), method: 'scan' },
      ...{ validate: [], version: '0' },
    });
    const captured = writeSnapshot(repository, async (writer) => {
      return (await source.capture(writer, { ...context, previous: undefined })).roots;
    });
    await expect(captured).rejects.toMatchObject({
      code: 'source-refused',
      message: expect.stringContaining('function'),
    });
  });

  it('that is lost while keys come back one by one is one failure, and no other', async () => {
    const unheard: unknown[] = [];
    const hear = (error: unknown): void => void unheard.push(error);
    process.on('unhandledRejection', hear);
    for (let index = 0; index < 4; index++) await server.run('SET', `random ${index}`, randomBytes(3_000_000));
    await capture(repository, server.url);
    const interrupted = new AbortController();
    let parts = 0;
    const advance = (): void => {
      if (++parts === 5) interrupted.abort(new Error('enough'));
    };
    const progress = { ...noProgress, advance };
    const place = { kind: 'database', url: target.url, label: 'target', sandbox: false } as const;
    const restoring = withReader(repository, (reader) =>
      sourceAt('redis://nowhere').restore(reader, place, {
        ...{ ...context, progress, signal: interrupted.signal, selection: { only: ['*'] } },
      }),
    );
    await expect(restoring).rejects.toThrow('enough');
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off('unhandledRejection', hear);
    expect(unheard).toEqual([]);
    await fillRedis(server);
  });

  it('that has functions is not empty, also for a user who may not list them', async () => {
    await capture(repository, server.url);
    await target.run('FUNCTION', 'LOAD', "#!lua name=mine\nredis.register_function('g', function() return 1 end)");
    await target.run('ACL', 'SETUSER', 'restorer', 'on', '>pw', '~*', '-@all', '+replicaof', '+info', '+select');
    const url = target.url.replace('//', '//restorer:pw@');
    await expect(restoreTo(repository, { ...target, url })).rejects.toMatchObject({ code: 'target-not-empty' });
  });

  it('that has other functions of the same number is not what was captured', async () => {
    await capture(repository, server.url);
    await restoreTo(repository, target);
    const at = { kind: 'database', url: target.url, label: 'target', sandbox: false } as const;
    const look = () =>
      withReader(repository, async (reader) => {
        const scratchDirectory = mkdtempSync(join(tmpdir(), 'redis-compared-'));
        const { differences } = await sourceAt('redis://nowhere').compare(reader, at, { ...context, scratchDirectory });
        const { checks } = await sourceAt('redis://nowhere').validate(reader, at, { ...context, timeMs: 0 });
        const failed = checks.filter(({ result }) => result === 'failed').map(({ name }) => name);
        return { differences: differences.map(({ item }) => item), failed };
      });
    expect(await look()).toEqual({ differences: [], failed: [] });
    const other = "#!lua name=lib\nredis.register_function('f', function() return 2 end)";
    await target.run('FUNCTION', 'LOAD', 'REPLACE', other);
    expect(await look()).toEqual({ differences: ['functions'], failed: ['functions'] });
  });
});
