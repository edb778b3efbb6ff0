import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import { describeObjectLock } from '../../../test/support/lock-conformance.ts';
import { errorsOf, movableClock, noise, PASSWORD, writeFiles } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { placeAt, type S3Server, s3Server } from '../../../test/support/s3-server.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { systemClock } from '../../foundation/clock.ts';
import { createRepository, openRepository } from '../../repository/index.ts';
import type { ObjectStore } from '../index.ts';
import { ProbedStore } from '../probed/index.ts';
import { RetryingStore } from '../retrying/index.ts';
import { createS3Store } from './index.ts';
import type { S3StoreOptions } from './s3-client.ts';

describe.skipIf(!requires('radosgw'))('S3', () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let bucket: string;
  let lockBucket: string;

  beforeAll(async () => {
    server = await s3Server();
    bucket = await server.bucket();
    lockBucket = await server.bucket({ lock: true });
    proxy = await startFaultyProxy(server.endpoint);
    return () => proxy.close();
  });

  const freshStore = (options: Partial<S3StoreOptions> = {}): ObjectStore =>
    createS3Store({ ...placeAt(server.endpoint, bucket, `at/${randomBytes(6).toString('hex')}`), ...options });

  /** Whose every call is answered so, by no server. */
  function answered(status: number, code?: string, headers: Record<string, string> = {}, more = ''): ObjectStore {
    const body = code === undefined ? '' : `<Error><Code>${code}</Code><Message>it is so</Message>${more}</Error>`;
    proxy.rule = () => ({ answer: { status, headers, body } });
    return createS3Store(placeAt(proxy.endpoint, bucket));
  }

  describeObjectStore('a bucket', freshStore);
  describeObjectLock('a bucket', () => ({ store: freshStore({ bucket: lockBucket, listPageSize: 2 }) }));
  describeObjectStore('a bucket, retried and probed', () => {
    const retrying = new RetryingStore(freshStore(), { clock: systemClock, signal: new AbortController().signal });
    return new ProbedStore(retrying, { clock: systemClock, recordFile: undefined });
  });

  describe('a file that is put', () => {
    const fileOf = (content: Uint8Array): string => {
      const file = join(mkdtempSync(join(tmpdir(), 'put-')), 'content');
      writeFileSync(file, content);
      return file;
    };
    const md5 = (content: Uint8Array): string => hash('md5', content, 'hex');

    it('comes as it is, however large, with its digest or without', async () => {
      const store = freshStore();
      const content = noise(3_000_001);
      const sizeBytes = content.length;
      await store.put('given', { file: fileOf(content), sizeBytes }, { md5: md5(content) });
      await store.put('taken', { file: fileOf(content), sizeBytes });
      for (const key of ['given', 'taken']) expect(Buffer.from(await store.get(key)).equals(content)).toBe(true);
    });

    it('is refused when it is not what its digest or its size says', async () => {
      const store = freshStore();
      const content = noise(1_000_000);
      const sizeBytes = content.length;
      const wrong = md5(Buffer.from('other bytes'));
      await expect(store.put('a', { file: fileOf(content), sizeBytes }, { md5: wrong })).rejects.toThrow('write a');
      await expect(store.put('b', content, { md5: wrong })).rejects.toThrow('write b');
      const short = { file: fileOf(content.subarray(1)), sizeBytes };
      await expect(store.put('c', short, { md5: md5(content) })).rejects.toThrow('has 999999 bytes instead of 1000000');
      expect(await Promise.all(['a', 'b', 'c'].map((key) => store.stat(key)))).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    });
  });

  it('knows a bucket that is not there from an empty one, whatever is asked', async () => {
    const store = freshStore({ bucket: `none-${randomBytes(6).toString('hex')}` });
    const calls: (() => Promise<unknown>)[] = [
      () => store.put('key', Buffer.from('x')),
      () => store.get('key'),
      () => store.stat('key'),
      () => store.delete('key'),
      () => store.list('')[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'no-bucket' });
    await expect(openRepository(store, PASSWORD)).rejects.toMatchObject({ code: 'no-repository' });
    await store.makePlace?.();
    await store.makePlace?.();
    expect(await store.stat('key')).toBeUndefined();
  });

  it('sees what has its prefix and a key of its own, and nothing else', async () => {
    const store = freshStore({ prefix: 'mine' });
    await store.put('a/1', Buffer.from('x'));
    for (const Key of ['mine2/a/2', 'mine/a/b c', 'mine/a/.hidden', 'mine/a/ü&<', 'mine/a/', 'other'])
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    expect(await keysOf(store, '')).toEqual(['a/1']);
    expect(await keysOf(store, 'a/')).toEqual(['a/1']);
  });

  it('names the permission that is missing', async () => {
    const restricted = await server.bucket();
    const arn = (what: string) => `arn:aws:s3:::${restricted}${what}`;
    const Statement = [
      { Effect: 'Deny', Principal: '*', Action: ['s3:DeleteObject', 's3:PutObject'], Resource: arn('/at/*') },
    ];
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await server.client.send(new PutObjectCommand({ Bucket: restricted, Key: 'at/old', Body: 'x' }));
    await server.client.send(new PutBucketPolicyCommand({ Bucket: restricted, Policy }));
    const store = freshStore({ bucket: restricted, prefix: 'at' });
    expect(await store.get('old')).toHaveLength(1);
    const refused = (permission: string) => ({
      code: 'permission-denied',
      retryable: false,
      hint: `Allow the credentials ${permission} on ${restricted}.`,
    });
    await expect(store.put('new', Buffer.from('x'))).rejects.toMatchObject(refused('s3:PutObject'));
    await expect(store.delete('old')).rejects.toMatchObject(refused('s3:DeleteObject'));
  });

  it('says that the credentials are wrong, also where the answer has no body, and repeats no part of them', async () => {
    const before = { ...process.env };
    try {
      process.env['AWS_SECRET_ACCESS_KEY'] = 'hunter2-hunter2';
      const store = freshStore();
      for (const call of [() => store.stat('key'), () => store.get('key'), () => store.put('key', Buffer.from('x'))]) {
        const error: unknown = await call().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code: 'permission-denied',
          hint: expect.stringContaining('check the access key'),
        });
        expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(
          new RegExp(`hunter2|${before['AWS_ACCESS_KEY_ID']}|Signature=`),
        );
      }
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
      process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nowhere';
      process.env['AWS_CONFIG_FILE'] = '/nowhere';
      await expect(freshStore().get('key')).rejects.toMatchObject({
        code: 'permission-denied',
        message: expect.stringContaining('no credentials were found'),
        hint: expect.stringContaining('AWS_ACCESS_KEY_ID'),
      });
    } finally {
      process.env = before;
    }
  });

  it.each<[number, string | undefined, Record<string, string>, string, object]>([
    [301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-7' }, '', { hint: /The bucket is in eu-west-7/ }],
    [400, 'AuthorizationHeaderMalformed', {}, '<Region>eu-west-8</Region>', { hint: /The bucket is in eu-west-8/ }],
    [
      403,
      'RequestTimeTooSkewed',
      { date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
      '',
      { code: 'permission-denied', hint: /clock of this machine: it is \d+ s ahead/ },
    ],
    [403, 'ExpiredToken', {}, '', { code: 'permission-denied', hint: /expired/ }],
    [403, 'InvalidObjectState', {}, '', { code: 'object-offline', retryable: false, hint: /hours before/ }],
    [403, 'QuotaExceeded', {}, '', { code: 'disk-full' }],
    [400, 'BadDigest', {}, '', { code: 'store-unreachable', retryable: true }],
    [503, 'SlowDown', { 'retry-after': '3' }, '', { code: 'store-unreachable', retryable: true, retryAfterMs: 3000 }],
    [409, 'ConditionalRequestConflict', {}, '', { code: 'store-unreachable', retryable: true }],
    [400, 'InvalidArgument', {}, '', { code: 'store-failed', retryable: false, message: /InvalidArgument: it is so/ }],
    [501, 'NotImplemented', {}, '', { code: 'store-failed', retryable: false }],
    [302, undefined, {}, '', { code: 'store-failed', retryable: false }],
  ])('takes an answer %i %s for what it is', async (status, code, headers, more, expected) => {
    const store = answered(status, code, headers, more);
    const error = (await store.put('key', Buffer.from('x')).catch((thrown: unknown) => thrown)) as Record<
      string,
      unknown
    >;
    for (const [name, value] of Object.entries(expected)) {
      if (value instanceof RegExp) expect(error[name]).toMatch(value);
      else expect(error[name]).toBe(value);
    }
  });

  it('repeats nothing of what an answer tells of the request', async () => {
    const more = '<AWSAccessKeyId>hunter2</AWSAccessKeyId><StringToSign>hunter2</StringToSign>';
    const error: unknown = await answered(403, 'SignatureDoesNotMatch', { 'x-amz-id-2': 'hunter2' }, more)
      .get('key')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'permission-denied' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });

  it('has its content covered by an MD5 that is signed, and reads it no second time for the signature', async () => {
    answered(403);
    proxy.calls.length = 0;
    await expect(freshStore({ endpoint: proxy.endpoint }).put('key', Buffer.from('abc'))).rejects.toThrow();
    expect(proxy.calls[0]?.headers).toMatchObject({
      'content-md5': 'kAFQmDzST7DWlj99KOF/cg==',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      authorization: expect.stringContaining('content-md5'),
    });
  });

  it('tells the MD5 that the server keeps of an object also where a part is read, and no tag that is none', async () => {
    const store = freshStore();
    const told: string[] = [];
    await store.put('key', Buffer.from('abc'));
    await store.get('key', { offset: 1, length: 2 }, { onMd5: (md5) => told.push(md5) });
    expect(told).toEqual([hash('md5', 'abc')]);
    const tag = { etag: `"${told[0]}"`, 'x-amz-server-side-encryption': 'aws:kms' };
    const encrypted = answered(200, undefined, tag);
    await encrypted.get('key', undefined, { onMd5: (md5) => told.push(md5) });
    expect(told).toHaveLength(1);
  });

  it('says that nobody answers', async () => {
    const store = freshStore({ endpoint: 'http://127.0.0.1:9' });
    await expect(store.stat('key')).rejects.toMatchObject({ code: 'store-unreachable', retryable: true });
  });

  it('asks for the class of what is bulk only, and for encryption of all', async () => {
    const options = { storageClass: 'STANDARD_IA', serverSideEncryption: 'aws:kms', kmsKeyId: 'the-key' } as const;
    answered(403);
    proxy.calls.length = 0;
    const store = freshStore({ endpoint: proxy.endpoint, ...options });
    for (const bulk of [true, false]) {
      await expect(store.put('key', Buffer.from('x'), { bulk })).rejects.toMatchObject({ code: 'permission-denied' });
    }
    const encrypted = {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'the-key',
    };
    expect(proxy.calls[0]?.headers).toMatchObject({ ...encrypted, 'x-amz-storage-class': 'STANDARD_IA' });
    expect(proxy.calls[1]?.headers).toMatchObject(encrypted);
    expect(proxy.calls[1]?.headers).not.toHaveProperty('x-amz-storage-class');
  });

  it('is probed at first use, once a day, and leaves nothing behind', async () => {
    proxy.rule = () => undefined;
    const recordFile = join(mkdtempSync(join(tmpdir(), 'probe-')), 'deep', 'record.json');
    const clock = movableClock();
    const known = async () => {
      proxy.calls.length = 0;
      const store = freshStore({ endpoint: proxy.endpoint, prefix: 'probed' });
      return {
        honoured: await new ProbedStore(store, { clock, recordFile }).capabilities(),
        calls: proxy.calls.length,
      };
    };
    const honoured = { conditionalPut: true, consistentListing: true };
    expect(await known()).toEqual({ honoured, calls: expect.any(Number) });
    expect(proxy.calls.length).toBeGreaterThan(5);
    expect(await known()).toEqual({ honoured, calls: 0 });
    clock.advance(25 * 60 * 60_000);
    expect((await known()).calls).toBeGreaterThan(5);
    for (const record of ['', '{}', '[1]', 'null']) {
      writeFileSync(recordFile, record);
      expect((await known()).calls).toBeGreaterThan(5);
    }
    expect(JSON.parse(readFileSync(recordFile, 'utf8'))).toMatchObject({ capabilities: honoured });
    expect(await keysOf(freshStore({ prefix: 'probed' }), '')).toEqual([]);
  });

  it('with object lock decides no race there, is known for it, and holds a repository all the same', async () => {
    const raw = freshStore({ bucket: lockBucket });
    const store = new ProbedStore(raw, { clock: systemClock, recordFile: undefined });
    expect(await store.capabilities()).toEqual({ conditionalPut: false, consistentListing: true });
    const made = await Promise.allSettled([1, 2].map(() => createRepository(store, PASSWORD, systemClock)));
    const winners = made.filter(({ status }) => status === 'fulfilled');
    expect(winners.length).toBeLessThanOrEqual(1);
    if (winners.length === 0) await createRepository(store, PASSWORD, movableClock(Date.now()));
    const repository = await openRepository(store, PASSWORD);
    await writeFiles(repository, { file: Buffer.from('content') });
    expect(await errorsOf(repository)).toEqual([]);
  });
});

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}
