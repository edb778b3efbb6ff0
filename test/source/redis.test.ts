import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import type { Target } from '../../src/foundation/target.ts';
import { createRedisSource } from '../../src/source/redis/index.ts';
import { fillRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { requires } from '../support/requirements.ts';
import { describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

describe.skipIf(!requires('redis'))('a server', () => {
  const servers: TestRedis[] = [];
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  async function start(): Promise<TestRedis> {
    const server = await startRedis();
    servers.push(server);
    return server;
  }

  async function empty(server: TestRedis): Promise<void> {
    await server.run('FLUSHALL');
    await server.run('FUNCTION', 'FLUSH');
  }

  describeSource('a Redis server', async (): Promise<SourceUnderTest> => {
    const [living, target] = await Promise.all([start(), start()]);
    const source = (url = living.url) =>
      createRedisSource({ name: 'cache', url: async () => url, method: 'replication', validate: [], version: '0.0.0' });
    const database = (url: string): Target => ({ kind: 'database', url, label: 'a server', sandbox: false });
    const replayed = mkdtempSync(join(tmpdir(), 'replayed-'));
    writeFileSync(join(replayed, 'appendonly.aof'), '');
    const replica = await start();
    await replica.run('REPLICAOF', '127.0.0.1', living.port);
    return {
      async source(amount) {
        await empty(living);
        if (amount === 'some') await fillRedis(living);
        // Without it what is much becomes little.
        await living.run('CONFIG', 'SET', 'rdbcompression', amount === 'much' ? 'no' : 'yes');
        if (amount === 'much') await living.run('DEBUG', 'POPULATE', 80_000, 'key', 200);
        return source();
      },
      gone: () => source(`redis+unix://${join(living.directory, 'not-there')}`),
      details: {
        format: 'rdb',
        server: expect.stringMatching(/^(Redis|Valkey)$/),
        method: 'replication',
        keys: 24,
        expiring: 2,
        functions: 1,
      },
      async place() {
        await empty(target);
        return database(target.url);
      },
      wrongPlaces: [
        { kind: 'directory', path: replayed },
        database(replica.url),
        database('postgres://localhost/none'),
      ],
      occupy: async () => void (await target.run('SET', 'mine', 'here before')),
      async contents(place) {
        const server = place === undefined ? living : target;
        return { keys: await server.digest(), functions: String(await server.run('FUNCTION', 'LIST', 'WITHCODE')) };
      },
      alter: async () => void (await target.run('HSET', 'long hash', 'field 7', 'another')),
    };
  });
});
