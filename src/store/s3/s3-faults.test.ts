import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FaultyProxy, type Mishap, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import {
  errorsOf,
  movableClock,
  noise,
  readFiles,
  testRepository,
  writeFiles,
} from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { resticCheck } from '../../../test/support/restic.ts';
import { placeAt, type S3Server, s3Server } from '../../../test/support/s3-server.ts';
import { systemClock } from '../../foundation/clock.ts';
import { type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { listSnapshots, lockRepository, removeLocks } from '../../repository/index.ts';
import type { ObjectStore } from '../index.ts';
import { RetryingStore } from '../retrying/index.ts';
import { createS3Store } from './index.ts';
import type { S3StoreOptions } from './s3-client.ts';

describe.skipIf(!requires('radosgw', 'restic'))('a bucket behind a network that goes wrong', () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let bucket: string;
  let clock = movableClock();
  let waits: number[] = [];

  beforeAll(async () => {
    server = await s3Server();
    bucket = await server.bucket();
    proxy = await startFaultyProxy(server.endpoint);
    return () => proxy.close();
  });

  beforeEach(() => {
    proxy.calls.length = 0;
    proxy.rule = () => undefined;
    clock = movableClock();
    waits = [];
  });

  /** A store whose waits take no time but that of a clock. */
  function retrying(options: Partial<S3StoreOptions> = {}, signal = new AbortController().signal): ObjectStore {
    const wait = async (ms: number): Promise<void> => {
      waits.push(ms);
      clock.advance(ms);
    };
    const store = createS3Store({ ...placeAt(proxy.endpoint, bucket, 'at'), idleTimeoutMs: 300, ...options });
    return new RetryingStore(store, { clock, signal, wait, random: () => 0.5 });
  }

  /** The same of the server itself. */
  const direct = (): ObjectStore => createS3Store(placeAt(server.endpoint, bucket, 'at'));

  /** The first `count` calls go wrong so. */
  function failing(mishap: Mishap, count = 2): void {
    proxy.rule = (_, index) => (index < count ? mishap : undefined);
  }

  const CONTENT = noise(50_000);

  it.each<[string, Mishap]>([
    ['500', { answer: { status: 500 } }],
    ['502 with a page', { answer: { status: 502, body: '<html>Bad gateway' } }],
    ['503', { answer: { status: 503, body: '<Error><Code>SlowDown</Code></Error>' } }],
    ['429', { answer: { status: 429 } }],
    ['503 after the effect', { answerAfterwards: { status: 503 } }],
    ['no answer at all', 'silence'],
    ['an answer that is not HTTP', 'nonsense'],
    ['a reset at the first byte of the request', { breakRequestAfter: 0 }],
    ['a reset before the answer', { breakAnswerAfter: -1 }],
  ])('takes %s for passing, whatever was asked', async (_, mishap) => {
    const store = retrying();
    await direct().put('old', CONTENT);
    failing(mishap);
    await store.put('new', CONTENT);
    expect(proxy.calls).toHaveLength(3);
    failing(mishap, proxy.calls.length + 1);
    expect(Buffer.from(await store.get('old')).equals(CONTENT)).toBe(true);
    failing(mishap, proxy.calls.length + 1);
    expect(await store.stat('new')).toMatchObject({ sizeBytes: CONTENT.length });
    failing(mishap, proxy.calls.length + 1);
    await store.delete('new');
    expect(await direct().stat('new')).toBeUndefined();
    failing(mishap, proxy.calls.length + 1);
    expect(await keysOf(store, '')).toEqual(['old']);
    expect(proxy.calls).toHaveLength(11);
  });

  it.each([0, 1, 100, 20_000, 49_999])('notices an answer that breaks off after %i bytes', async (bytes) => {
    await direct().put('old', CONTENT);
    const store = retrying();
    failing({ breakAnswerAfter: bytes }, 1);
    expect(Buffer.from(await store.get('old')).equals(CONTENT)).toBe(true);
    failing({ breakAnswerAfter: bytes }, proxy.calls.length + 1);
    const part = await store.get('old', { offset: 0, length: CONTENT.length });
    expect(Buffer.from(part).equals(CONTENT)).toBe(true);
    expect(proxy.calls).toHaveLength(4);
  });

  it.each([0, 1, 20_000])('sends an object again that broke off after %i bytes, as a file too', async (bytes) => {
    const store = retrying();
    failing({ breakRequestAfter: bytes });
    const file = join(mkdtempSync(join(tmpdir(), 'put-')), 'content');
    writeFileSync(file, CONTENT);
    await store.put('new', { file, sizeBytes: CONTENT.length });
    expect(proxy.calls).toHaveLength(3);
    expect(Buffer.from(await direct().get('new')).equals(CONTENT)).toBe(true);
    expect(existsSync(file)).toBe(false);
  });

  it('takes no short answer for the whole, although its length agrees', async () => {
    await direct().put('old', CONTENT);
    failing({ shortenBy: 1 });
    const part = await retrying().get('old', { offset: 100, length: 1000 });
    expect(Buffer.from(part).equals(CONTENT.subarray(100, 1100))).toBe(true);
    expect(proxy.calls).toHaveLength(3);
    failing({ shortenBy: 1 }, proxy.calls.length + 1);
    expect(Buffer.from(await retrying().get('old')).equals(CONTENT)).toBe(true);
  });

  it('takes no listing that breaks off for the whole, and tells nothing twice', async () => {
    for (const key of ['l/a', 'l/b', 'l/c', 'l/d', 'l/e']) await direct().put(key, Buffer.from(key));
    const store = retrying({ listPageSize: 2 });
    for (const mishap of [{ breakAnswerAfter: 300 }, { shortenBy: 40 }, { answer: { status: 503 } }] as Mishap[]) {
      proxy.calls.length = 0;
      proxy.rule = (_, index) => (index === 1 ? mishap : undefined);
      expect(await keysOf(store, 'l/')).toEqual(['l/a', 'l/b', 'l/c', 'l/d', 'l/e']);
      expect(proxy.calls.length).toBeGreaterThan(3);
    }
  });

  it('reads again what came altered, and has sent again what arrived altered', async () => {
    await direct().put('old', CONTENT);
    failing({ flip: 'answer' }, 1);
    expect(Buffer.from(await retrying().get('old')).equals(CONTENT)).toBe(true);
    failing({ flip: 'request' }, proxy.calls.length + 1);
    await retrying().put('new', CONTENT);
    expect(Buffer.from(await direct().get('new')).equals(CONTENT)).toBe(true);
    expect(proxy.calls).toHaveLength(4);
  });

  it('hands over what is altered each time: to judge it is for others', async () => {
    await direct().put('old', CONTENT);
    proxy.rule = () => ({ flip: 'answer' });
    const bytes = Buffer.from(await retrying().get('old'));
    expect(bytes).toHaveLength(CONTENT.length);
    expect(bytes.equals(CONTENT)).toBe(false);
    expect(proxy.calls).toHaveLength(2);
  });

  it.each([
    ['without an effect', { answer: { status: 200 } }],
    [
      'without an effect, with another tag',
      { answer: { status: 200, headers: { etag: '"00000000000000000000000000000000"' } } },
    ],
  ] as [string, Mishap][])('takes an answer that all is well %s for none', async (_, mishap) => {
    await direct().delete('new');
    failing(mishap, 1);
    await retrying().put('new', CONTENT);
    expect(Buffer.from(await direct().get('new')).equals(CONTENT)).toBe(true);
  });

  it("knows its own object again when the answer was lost, and nobody else's", async () => {
    for (const key of ['ours', 'theirs', 'file']) await direct().delete(key);
    failing({ answerAfterwards: { status: 500 } }, 1);
    await retrying().put('ours', CONTENT, { ifAbsent: true });
    expect(Buffer.from(await direct().get('ours')).equals(CONTENT)).toBe(true);

    const file = join(mkdtempSync(join(tmpdir(), 'put-')), 'content');
    writeFileSync(file, CONTENT);
    failing({ answerAfterwards: { status: 500 } }, proxy.calls.length + 1);
    await retrying().put('file', { file, sizeBytes: CONTENT.length }, { ifAbsent: true });
    expect(existsSync(file)).toBe(false);

    await direct().put('theirs', Buffer.from('was there before'));
    failing({ answer: { status: 500 } }, proxy.calls.length + 1);
    await expect(retrying().put('theirs', CONTENT, { ifAbsent: true })).rejects.toMatchObject({
      code: 'object-exists',
    });
    expect(Buffer.from(await direct().get('theirs')).toString()).toBe('was there before');
  });

  it('waits at random below a limit that doubles, or as long as it is told', async () => {
    const store = retrying();
    await store.put('old', CONTENT);
    failing({ answer: { status: 503 } }, proxy.calls.length + 4);
    await store.get('old');
    expect(waits).toEqual([125, 250, 500, 1000]);
    waits.length = 0;
    failing({ answer: { status: 503, headers: { 'retry-after': '7' } } }, proxy.calls.length + 1);
    await store.get('old');
    expect(waits).toEqual([7000]);
  });

  it('makes no other call either before the time that it was told', async () => {
    let other: Promise<unknown> | undefined;
    const store: ObjectStore = new RetryingStore(createS3Store(placeAt(proxy.endpoint, bucket, 'at')), {
      clock,
      signal: new AbortController().signal,
      wait: async (ms) => {
        waits.push(ms);
        if (waits.length === 1) other = store.get('old');
        clock.advance(ms);
      },
    });
    await store.put('old', CONTENT);
    const date = new Date(Date.now() + 60_000).toUTCString();
    failing({ answer: { status: 429, headers: { 'retry-after': date } } }, proxy.calls.length + 1);
    await store.get('old');
    await other;
    expect(waits).toHaveLength(2);
    for (const ms of waits) {
      expect(ms).toBeGreaterThan(50_000);
      expect(ms).toBeLessThan(61_000);
    }
  });

  it('gives up when its time is over, sooner where nobody has ever answered, and says how often it tried', async () => {
    const store = retrying();
    proxy.rule = () => ({ answer: { status: 503 } });
    const never = await errorOf(store.get('old'));
    expect(never).toMatchObject({ code: 'store-unreachable', context: { status: 503 } });
    expect(never.message).toMatch(/the server answers 503 .*\(tried \d+ times in 1\d s\)/);
    proxy.rule = () => undefined;
    await store.stat('old');
    proxy.rule = () => ({ answer: { status: 503 } });
    waits.length = 0;
    await expect(store.get('old')).rejects.toMatchObject({ code: 'store-unreachable' });
    const total = waits.reduce((sum, ms) => sum + ms, 0);
    expect(total).toBeGreaterThan(9 * 60_000);
    expect(total).toBeLessThanOrEqual(10 * 60_000);
  });

  it('leaves no file behind of what it gave up', async () => {
    proxy.rule = () => ({ breakAnswerAfter: -1 });
    const file = join(mkdtempSync(join(tmpdir(), 'put-')), 'content');
    writeFileSync(file, CONTENT);
    await expect(retrying().put('new', { file, sizeBytes: CONTENT.length })).rejects.toMatchObject({
      code: 'store-unreachable',
    });
    expect(existsSync(file)).toBe(false);
  });

  it('ends its wait when it is interrupted', async () => {
    const aborter = new AbortController();
    const store = new RetryingStore(createS3Store(placeAt(proxy.endpoint, bucket)), {
      clock,
      signal: aborter.signal,
      random: () => 1,
    });
    proxy.rule = () => {
      setTimeout(() => aborter.abort(), 20);
      return { answer: { status: 503, headers: { 'retry-after': '15' } } };
    };
    await expect(store.get('old')).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('is asked once where the answer is final', async () => {
    await expect(retrying().get('nothing')).rejects.toMatchObject({ code: 'object-missing' });
    expect(proxy.calls).toHaveLength(1);
    proxy.rule = () => ({ answer: { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } });
    await expect(retrying().get('old')).rejects.toMatchObject({
      code: 'permission-denied',
      hint: `Allow the credentials s3:GetObject on ${bucket}.`,
    });
    expect(proxy.calls).toHaveLength(2);
  });

  it('writes a repository that is whole, through one mishap after the other', async () => {
    const mishaps: Mishap[] = [
      { answer: { status: 500 } },
      { breakAnswerAfter: 10 },
      { answerAfterwards: { status: 503 } },
      { flip: 'request' },
      { breakRequestAfter: 100 },
      { answer: { status: 200 } },
      { breakAnswerAfter: -1 },
    ];
    let next = 0;
    proxy.rule = (_, index) => (index % 3 === 1 ? mishaps[next++ % mishaps.length] : undefined);
    const files = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`f${index}`, noise(300_000, index)]));
    const repository = await testRepository(retrying({ prefix: 'whole' }));
    await writeFiles(repository, files, { packSizeBytes: 200_000 });
    expect(next).toBeGreaterThan(mishaps.length);
    const read = await readFiles(repository);
    for (const [name, content] of Object.entries(files)) expect(read.get(name)?.equals(content)).toBe(true);
    proxy.rule = () => undefined;
    expect(await errorsOf(repository)).toEqual([]);
    resticCheck(`s3:${server.endpoint}/${bucket}/whole`);
  });

  it.each<[string, Mishap, string]>([
    [
      'refuses what it allowed',
      { answer: { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } },
      'permission-denied',
    ],
    ['is gone', { answer: { status: 404, body: '<Error><Code>NoSuchBucket</Code></Error>' } }, 'no-bucket'],
  ])('fails a backup in whose middle it %s, and what was stored before stays whole', async (how, mishap, code) => {
    const prefix = how.replaceAll(' ', '-');
    const repository = await testRepository(retrying({ prefix }));
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
    const store = retrying({ prefix: 'skewed' });
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
    const repository = await testRepository(retrying({ prefix: 'raced' }));
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
      const store = retrying();
      await store.put('old', CONTENT);
      failing({ answer: { status: 400, body: '<Error><Code>ExpiredToken</Code></Error>' } }, proxy.calls.length + 1);
      expect(await store.stat('old')).toBeDefined();
      expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('asked\nasked\n');
    } finally {
      process.env = before;
    }
  });
});

async function errorOf(promise: Promise<unknown>): Promise<HoldfastError> {
  try {
    await promise;
  } catch (error) {
    if (isHoldfastError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}
