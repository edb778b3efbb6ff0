import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FaultyProxy, type Mishap, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import { movableClock, noise, readFiles, testRepository, writeFiles } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { resticCheck } from '../../../test/support/restic.ts';
import { placeAt, type S3Server, s3Server } from '../../../test/support/s3-server.ts';
import { describeStoreFaults, errorOf, keysOf } from '../../../test/support/store-faults.ts';
import { systemClock } from '../../foundation/clock.ts';
import { listSnapshots, lockRepository, removeLocks } from '../../repository/index.ts';
import type { ObjectStore } from '../index.ts';
import { RetryingStore } from '../retrying/index.ts';
import { createS3Store } from './index.ts';

const CONTENT = noise(50_000);
const OTHER_TAG = '"00000000000000000000000000000000"';

describe.skipIf(!requires('radosgw', 'restic'))('S3', () => {
  let server: S3Server;
  let bucket: string;
  let proxy: FaultyProxy;

  beforeAll(async () => {
    server = await s3Server();
    bucket = await server.bucket();
    proxy = await startFaultyProxy(server.endpoint);
    return () => proxy.close();
  });

  beforeEach(() => {
    proxy.calls.length = 0;
    proxy.rule = () => undefined;
  });

  /** A store whose waits take no time but that of a clock. */
  function retrying(prefix: string): ObjectStore {
    const clock = movableClock();
    const signal = new AbortController().signal;
    const wait = async (ms: number): Promise<void> => clock.advance(ms);
    return new RetryingStore(createS3Store(placeAt(proxy.endpoint, bucket, prefix)), { clock, signal, wait });
  }

  describeStoreFaults('a bucket', async () => ({
    endpoint: server.endpoint,
    create: ({ endpoint, prefix, ...options }) => createS3Store({ ...placeAt(endpoint, bucket, prefix), ...options }),
    answers: {
      forbidden: { answer: { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } },
      permission: 's3:GetObject',
      otherContent: { answer: { status: 200, headers: { etag: OTHER_TAG } } },
    },
    resticCheck: async (prefix) => resticCheck(`s3:${server.endpoint}/${bucket}/${prefix}`),
  }));

  it.each<[string, Mishap, string]>([
    [
      'refuses what it allowed',
      { answer: { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } },
      'permission-denied',
    ],
    ['is gone', { answer: { status: 404, body: '<Error><Code>NoSuchBucket</Code></Error>' } }, 'no-bucket'],
  ])('fails a backup in whose middle it %s, and what was stored before stays whole', async (how, mishap, code) => {
    const prefix = how.replaceAll(' ', '-');
    const repository = await testRepository(retrying(prefix));
    const { id } = await writeFiles(repository, { first: CONTENT }, { packSizeBytes: 20_000 });
    const more = { second: noise(300_000, 2) };
    for (const after of [1, 6, 10]) {
      proxy.calls.length = 0;
      proxy.rule = (_, index) => (index >= after ? mishap : undefined);
      await expect(writeFiles(repository, more, { packSizeBytes: 20_000 })).rejects.toMatchObject({ code });
    }
    proxy.rule = () => undefined;
    await removeLocks(repository, { clock: systemClock, all: true, dryRun: false });
    expect((await listSnapshots(repository)).map((snapshot) => snapshot.id)).toEqual([id]);
    expect((await readFiles(repository)).get('first')?.equals(CONTENT)).toBe(true);
    await writeFiles(repository, more);
    resticCheck(`s3:${server.endpoint}/${bucket}/${prefix}`);
  });

  it('says by how much the clock of this machine is wrong, at every call until it is set', async () => {
    const store = retrying('skewed');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    try {
      for (const call of [() => store.put('new', CONTENT), () => store.get('new'), () => keysOf(store, '')]) {
        const error = await errorOf(call());
        expect(error.code).toBe('permission-denied');
        expect(error.hint).toMatch(/^Set the clock of this machine: it is 3[56]\d\d s ahead of the server's/);
      }
    } finally {
      vi.useRealTimers();
    }
    expect(await keysOf(store, '')).toEqual([]);
    await store.put('new', CONTENT);
  });

  it('has one holder at most of a lock for oneself, of those who race for it', async () => {
    const repository = await testRepository(retrying('raced'));
    for (let race = 0; race < 3; race++) {
      const racers = Array.from({ length: 3 }, () =>
        lockRepository(repository, { exclusive: true, clock: systemClock }),
      );
      const results = await Promise.allSettled(racers);
      const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(held.length).toBeLessThanOrEqual(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'repository-locked' });
      }
      expect(await keysOf(repository.store, 'locks/')).toHaveLength(held.length);
      for (const lock of held) await lock.release();
    }
  });

  it('asks anew for credentials that have expired', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'aws-'));
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = server.variables;
    const keys = { Version: 1, AccessKeyId: AWS_ACCESS_KEY_ID, SecretAccessKey: AWS_SECRET_ACCESS_KEY };
    const program = `sh -c "echo asked >> ${directory}/log; cat ${directory}/keys"`;
    writeFileSync(join(directory, 'keys'), JSON.stringify(keys));
    writeFileSync(join(directory, 'config'), `[default]\ncredential_process = ${program}\n`);
    const before = { ...process.env };
    try {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
      process.env['AWS_CONFIG_FILE'] = join(directory, 'config');
      const store = createS3Store(placeAt(proxy.endpoint, bucket, 'expired'));
      await store.put('old', Buffer.from('content'));
      const body = '<Error><Code>ExpiredToken</Code></Error>';
      proxy.rule = (_, index) => (index === 1 ? { answer: { status: 400, body } } : undefined);
      expect(await store.stat('old')).toBeDefined();
      expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('asked\nasked\n');
      // In the middle of a backup, whatever is asked.
      proxy.rule = (_, index) => (index % 7 === 3 ? { answer: { status: 400, body } } : undefined);
      const repository = await testRepository(store);
      const files = { first: CONTENT, second: noise(300_000, 2) };
      await writeFiles(repository, files, { packSizeBytes: 20_000 });
      for (const [name, content] of await readFiles(repository)) {
        expect(content.equals(files[name as keyof typeof files])).toBe(true);
      }
    } finally {
      process.env = before;
    }
    resticCheck(`s3:${server.endpoint}/${bucket}/expired`);
  });
});
