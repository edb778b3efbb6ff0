import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { queryOnce } from '../../../test/support/postgres-pair.ts';
import { requires } from '../../../test/support/requirements.ts';
import { systemClock } from '../../foundation/clock.ts';
import { noProgress } from '../../foundation/progress.ts';
import { postgresFailover } from '../../source/postgres/index.ts';
import { Connection } from '../../source/redis/connection/connection.ts';
import { parseLocation } from '../../source/redis/connection/location.ts';
import { redisFailover } from '../../source/redis/index.ts';
import type { SandboxNeed } from '../sandbox.ts';
import { createLocalSandbox } from './local-sandbox.ts';

const signal = new AbortController().signal;
const sandbox = createLocalSandbox({ clock: systemClock });
const DATABASE: SandboxNeed = {
  ...{ kind: 'postgres', majorVersion: 15, newerServes: true },
  ...{ encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8' },
};
const REDIS: SandboxNeed = {
  ...{ kind: 'redis', server: 'Redis', version: '7.0.0', rdbVersion: 10, isValkeyRdb: false },
  ...{ databases: 16, hasModules: false },
};

it.skipIf(!requires('postgresql'))('a server is followed, killed, replaced, and made to follow in turn', async () => {
  const place = await sandbox.open(DATABASE, noProgress);
  if (place.target.kind !== 'database') throw new Error('no database');
  await queryOnce(place.target.url, 'create table kept as select 1 as id');
  const { primary, followers } = await place.copies!(['other']);
  const other = followers.get('other')!;
  try {
    await queryOnce(primary.url, 'insert into kept values (2)');
    await expect.poll(() => queryOnce(other.url, 'select id from kept')).toEqual([{ id: 1 }, { id: 2 }]);
    const fenced = await postgresFailover.fence({ admin: primary.url, application: primary.url }, signal);
    expect(fenced.isStandby).toBe(false);
    await primary.cutOff();
    await expect(postgresFailover.look(primary.url, AbortSignal.timeout(300))).rejects.toThrow();
    await primary.start();
    expect(await postgresFailover.look(primary.url, signal)).toMatchObject({ isFenced: true });
    await primary.kill();
    await expect(postgresFailover.look(primary.url, signal)).rejects.toMatchObject({ code: 'source-unreachable' });
    expect(await postgresFailover.promote(other.url, signal)).toMatchObject({ wasStandby: true, timeline: 2 });
    await queryOnce(other.url, 'insert into kept values (3)');
    const { directory } = primary;
    const reseeded = await postgresFailover.reseed({
      directory,
      fromUrl: other.url,
      slot: 's',
      signal,
      tell: () => {},
    });
    expect(reseeded.how).toBe('rewound');
    await primary.start();
    await expect.poll(() => queryOnce(primary.url, 'select id from kept')).toHaveLength(3);
    expect(await postgresFailover.look(primary.url, signal)).toMatchObject({ isStandby: true, timeline: 2 });
  } finally {
    await place.close();
  }
  expect([existsSync(primary.directory), existsSync(other.directory)]).toEqual([false, false]);
});

it.skipIf(!requires('redis'))('a Redis server is followed, killed, replaced, and made to follow in turn', async () => {
  const place = await sandbox.open(REDIS, noProgress);
  if (place.target.kind !== 'database') throw new Error('no database');
  await call(place.target.url, 'SET', 'key', '1');
  const { primary, followers } = await place.copies!(['other']);
  const other = followers.get('other')!;
  try {
    expect(await call(other.url, 'GET', 'key')).toBe('1');
    await primary.kill();
    expect(await redisFailover.promote(other.url, signal)).toMatchObject({ wasReplica: true, isLasting: true });
    await call(other.url, 'SET', 'key', '2');
    await primary.start();
    expect(await call(primary.url, 'GET', 'key')).toBe('1');
    await redisFailover.follow({ url: primary.url, from: other.url }, { signal, tell: () => {} });
    expect(await call(primary.url, 'GET', 'key')).toBe('2');
    await expect(call(primary.url.replace(/:[^@/]*@/, ''), 'GET', 'key')).rejects.toThrow(/NOAUTH|log/i);
  } finally {
    await place.close();
  }
  expect([existsSync(primary.directory), existsSync(other.directory)]).toEqual([false, false]);
});

it.skipIf(!requires('redis'))('a Redis server that cannot write down what it has is not copied empty', async () => {
  const place = await sandbox.open(REDIS, noProgress);
  if (place.target.kind !== 'database') throw new Error('no database');
  try {
    await call(place.target.url, 'SET', 'key', '1');
    mkdirSync(join(dirname(decodeURIComponent(new URL(place.target.url).pathname)), 'dump.rdb'));
    await expect(place.copies!(['other'])).rejects.toMatchObject({
      ...{ code: 'sandbox-failed', message: expect.stringContaining('cannot write down what it has: -ERR') },
    });
  } finally {
    await place.close();
  }
});

async function call(url: string, ...words: string[]): Promise<string> {
  const connection = await Connection.open(parseLocation(url), { side: 'target', signal });
  try {
    return String(await connection.call('test', words));
  } finally {
    connection.destroy();
  }
}
