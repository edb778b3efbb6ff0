import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { credentialsFor } from '../../../test/support/fake-gcs.ts';
import { type FaultyProxy, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import { type GcsServer, gcsServer, placeIn } from '../../../test/support/gcs-server.ts';
import { noise, PASSWORD } from '../../../test/support/repository.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { systemClock } from '../../foundation/clock.ts';
import { openRepository } from '../../repository/index.ts';
import type { ObjectStore } from '../index.ts';
import { ProbedStore } from '../probed/index.ts';
import { RetryingStore } from '../retrying/index.ts';
import type { GcsStoreOptions } from './gcs-client.ts';
import { createGcsStore } from './index.ts';

/** Another server than the tests' own has settings and rights of its own. */
const isForeign = process.env['HOLDFAST_TEST_GCS_ENDPOINT'] !== undefined;

describe('Cloud Storage', () => {
  let server: GcsServer;
  let proxy: FaultyProxy;
  let bucket: string;

  beforeAll(async () => {
    server = await gcsServer();
    bucket = await server.bucket();
    proxy = await startFaultyProxy(server.endpoint);
    return async () => {
      await proxy.close();
      await server.close();
    };
  });

  const freshStore = (options: Partial<GcsStoreOptions> = {}): ObjectStore =>
    createGcsStore({ ...placeIn(server.endpoint, bucket, `at/${randomBytes(6).toString('hex')}`), ...options });

  /** Whose every call is answered so, by no server. */
  function answered(
    status: number,
    reason = '',
    message = 'it is so',
    headers: Record<string, string> = {},
  ): ObjectStore {
    const body = JSON.stringify({ error: { code: status, message, errors: [{ message, domain: 'global', reason }] } });
    proxy.rule = () => ({ answer: { status, headers, body } });
    return createGcsStore(placeIn(proxy.endpoint, bucket));
  }

  /** Every kind of call. */
  const callsOf = (store: ObjectStore): (() => Promise<unknown>)[] => [
    () => store.put('key', Buffer.from('x')),
    () => store.get('key'),
    () => store.stat('key'),
    () => store.delete('key'),
    () => store.list('')[Symbol.asyncIterator]().next(),
  ];

  describeObjectStore('a bucket', freshStore);
  describeObjectStore('a bucket, all uploads resumable', () => freshStore({ resumableFromBytes: 1 }));

  it('is probed, and honours what it claims', async () => {
    const retrying = new RetryingStore(freshStore(), { clock: systemClock, signal: new AbortController().signal });
    const store = new ProbedStore(retrying, { clock: systemClock, recordFile: undefined });
    expect(await store.capabilities()).toEqual({ conditionalPut: true, consistentListing: true });
  });

  it('knows a bucket that is not there from an empty one, whatever is asked', async () => {
    const store = freshStore({ bucket: `none-${randomBytes(6).toString('hex')}` });
    for (const call of callsOf(store)) await expect(call()).rejects.toMatchObject({ code: 'no-bucket' });
    await expect(openRepository(store, PASSWORD)).rejects.toMatchObject({ code: 'no-repository' });
    await store.makePlace?.();
    await store.makePlace?.();
    expect(await store.stat('key')).toBeUndefined();
  });

  it('asks whether the bucket is there, where an answer does not say what is missing', async () => {
    proxy.calls.length = 0;
    const notFound = { answer: { status: 404, body: 'Not Found' } };
    proxy.rule = ({ path }) => (path.includes('/o/') || path.includes('/none-') ? notFound : undefined);
    const at = (name: string) => createGcsStore(placeIn(proxy.endpoint, name));
    await expect(at(bucket).get('key')).rejects.toMatchObject({ code: 'object-missing' });
    await expect(at(`none-${bucket}`).get('key')).rejects.toMatchObject({ code: 'no-bucket' });
    expect(proxy.calls).toHaveLength(4);
  });

  it('sees what has its prefix and a key of its own, and nothing else', async () => {
    const path = `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=`;
    const mine = freshStore({ prefix: 'mine' });
    await mine.put('a/1', Buffer.from('x'));
    const token = server.fake.giveToken();
    for (const name of ['mine2/a/2', 'mine/a/b c', 'mine/a/.hidden', 'mine/a/ü&<', 'mine/a/', 'other']) {
      const headers = { authorization: `Bearer ${token}` };
      const init = { method: 'POST', body: 'x', headers };
      expect((await fetch(`${server.endpoint}${path}${encodeURIComponent(name)}`, init)).status).toBe(200);
    }
    expect(await keysOf(mine, '')).toEqual(['a/1']);
    expect(await keysOf(freshStore({ prefix: 'mine', listPageSize: 1 }), 'a/')).toEqual(['a/1']);
  });

  it('asks for the class of what is bulk only, and for encryption of all', async () => {
    const kmsKeyName = 'projects/p/locations/l/keyRings/r/cryptoKeys/k';
    for (const resumableFromBytes of [1, 100]) {
      const store = freshStore({ endpoint: proxy.endpoint, storageClass: 'COLDLINE', kmsKeyName, resumableFromBytes });
      proxy.calls.length = 0;
      proxy.rule = () => undefined;
      await store.put('pack', Buffer.from('x'), { bulk: true });
      await store.put('index', Buffer.from('x'));
      const inserts = proxy.calls.filter(({ method }) => method === 'POST');
      for (const { path } of inserts) expect(path).toContain(`kmsKeyName=${encodeURIComponent(kmsKeyName)}`);
      expect(inserts).toHaveLength(2);
      if (isForeign) continue;
      const stored = (name: string) =>
        [...server.fake.buckets.get(bucket)!.objects.values()].flat().findLast((object) => object.name.endsWith(name));
      expect(stored('/pack')).toMatchObject({
        storageClass: 'COLDLINE',
        kmsKeyName: `${kmsKeyName}/cryptoKeyVersions/1`,
      });
      expect(stored('/index')).toMatchObject({ storageClass: 'STANDARD' });
    }
  });

  it.each<[number, string, string, Record<string, string>, object]>([
    [403, 'retentionPolicyNotMet', 'it is kept', {}, { code: 'permission-denied', hint: /until its time is over/ }],
    [
      403,
      'forbidden',
      'no',
      {},
      { code: 'permission-denied', hint: /^Allow the credentials storage.objects.create on/ },
    ],
    [403, 'userRateLimitExceeded', 'slow', {}, { code: 'store-unreachable', retryable: true }],
    [400, 'invalid', 'Provided MD5 hash "a" doesn\'t match calculated MD5 hash "b".', {}, { retryable: true }],
    [400, 'invalid', 'it is so', {}, { code: 'store-failed', retryable: false, message: /400 invalid: it is so/ }],
    [429, 'rateLimitExceeded', 'slow', { 'retry-after': '3' }, { code: 'store-unreachable', retryAfterMs: 3000 }],
    [408, '', 'late', {}, { code: 'store-unreachable', retryable: true }],
    [501, 'notImplemented', 'no', {}, { code: 'store-failed', retryable: false }],
    [302, '', '', {}, { code: 'store-failed', retryable: false }],
  ])('takes an answer %i %s for what it is', async (status, reason, message, headers, expected) => {
    const store = answered(status, reason, message, headers);
    const error = (await store.put('key', Buffer.from('x')).catch((thrown: unknown) => thrown)) as Record<
      string,
      unknown
    >;
    for (const [name, value] of Object.entries(expected)) {
      if (value instanceof RegExp) expect(error[name]).toMatch(value);
      else expect(error[name]).toBe(value);
    }
  });

  it('holds what has no MD5 against its CRC32C, and reads it again where that differs', async () => {
    const reads = async (crc32c: string) => {
      proxy.calls.length = 0;
      proxy.rule = () => ({
        answer: { status: 200, headers: { 'x-goog-hash': `crc32c=${crc32c}` }, body: '123456789' },
      });
      await createGcsStore(placeIn(proxy.endpoint, bucket)).get('key');
      return proxy.calls.length;
    };
    expect(await reads('4waSgw==')).toBe(1);
    expect(await reads('4waSgg==')).toBe(2);
  });

  it('needs to know no project for anything but a new bucket', async () => {
    const { GOOGLE_CLOUD_PROJECT: project = '' } = process.env;
    delete process.env['GOOGLE_CLOUD_PROJECT'];
    try {
      for (const call of callsOf(freshStore()).filter((_, index) => index !== 1)) await call();
    } finally {
      process.env['GOOGLE_CLOUD_PROJECT'] = project;
    }
  });

  it('says that nobody answers', async () => {
    const store = freshStore({ endpoint: 'http://127.0.0.1:9' });
    await expect(store.stat('key')).rejects.toMatchObject({ code: 'store-unreachable', retryable: true });
  });

  it('says what is wrong with the credentials, and repeats no part of them', async () => {
    const before = { ...process.env };
    const directory = mkdtempSync(join(tmpdir(), 'google-'));
    const [file, subject] = [join(directory, 'credentials.json'), join(directory, 'subject')];
    const errorWith = async (credentials: object): Promise<unknown> => {
      writeFileSync(file, JSON.stringify(credentials));
      process.env['GOOGLE_APPLICATION_CREDENTIALS'] = file;
      return freshStore()
        .get('key')
        .catch((thrown: unknown) => thrown);
    };
    try {
      writeFileSync(subject, 'hunter2-hunter2');
      const refused = await errorWith(credentialsFor(server.fake.endpoint, subject));
      expect(refused).toMatchObject({
        ...{ code: 'permission-denied', message: expect.stringContaining('there is no access token') },
        hint: expect.stringContaining('GOOGLE_APPLICATION_CREDENTIALS'),
      });
      expect(inspect(refused, { depth: 9, showHidden: true })).not.toContain('hunter2');
      const away = await errorWith(credentialsFor('http://127.0.0.1:9', subject));
      expect(away).toMatchObject({ code: 'store-unreachable', retryable: true });
      delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
      Object.assign(process.env, { HOME: directory, CLOUDSDK_CONFIG: directory });
      await expect(freshStore().get('key')).rejects.toMatchObject({
        ...{ code: 'permission-denied', message: expect.stringContaining('no credentials were found') },
        hint: expect.stringContaining('gcloud auth application-default login'),
      });
    } finally {
      process.env = before;
    }
  });

  it('reads into the memory that it is given, where it fits', async () => {
    const store = freshStore();
    const content = noise(100_000);
    await store.put('key', content);
    const into = new Uint8Array(new SharedArrayBuffer(70_000));
    const part = await store.get('key', { offset: 1000, length: 60_000 }, { into });
    expect([part.buffer === into.buffer, part.length]).toEqual([true, 60_000]);
    expect(Buffer.from(into.subarray(0, 60_000)).equals(content.subarray(1000, 61_000))).toBe(true);
    expect((await store.get('key', undefined, { into })).buffer).not.toBe(into.buffer);
  });

  it.each([1, 1_000_000_000])('goes by the digest that it is given, resumable from %i bytes on', async (from) => {
    const store = freshStore({ resumableFromBytes: from });
    const content = noise(1_000_000);
    const sizeBytes = content.length;
    const fileOf = (bytes: Uint8Array): string => {
      const file = join(mkdtempSync(join(tmpdir(), 'put-')), 'content');
      writeFileSync(file, bytes);
      return file;
    };
    const md5 = hash('md5', content, 'hex');
    await store.put('given', { file: fileOf(content), sizeBytes }, { md5 });
    expect(content.equals(await store.get('given'))).toBe(true);
    const wrong = hash('md5', 'other bytes', 'hex');
    await expect(store.put('a', { file: fileOf(content), sizeBytes }, { md5: wrong })).rejects.toThrow('write a');
    await expect(store.put('b', content, { md5: wrong })).rejects.toThrow('write b');
    const short = { file: fileOf(content.subarray(1)), sizeBytes };
    await expect(store.put('c', short, { md5 })).rejects.toThrow('has 999999 bytes instead of 1000000');
    expect(await Promise.all(['a', 'b', 'c'].map((key) => store.stat(key)))).toEqual(Array(3).fill(undefined));
  });

  describe.skipIf(isForeign)('on a server that does what it is told', () => {
    it('names the permission that is missing', async () => {
      const restricted = await server.bucket();
      const store = freshStore({ bucket: restricted });
      await store.put('old', Buffer.from('x'));
      for (const [permission, call] of [
        ['storage.objects.create', () => store.put('new', Buffer.from('x'))],
        ['storage.objects.delete', () => store.delete('old')],
        ['storage.objects.delete', () => store.put('old', Buffer.from('y'))],
        ['storage.objects.get', () => store.get('old')],
        ['storage.objects.get', () => store.stat('old')],
        ['storage.objects.list', () => store.list('')[Symbol.asyncIterator]().next()],
        ['storage.buckets.create', () => freshStore({ bucket: 'another-one' }).makePlace?.()],
      ] as [string, () => Promise<unknown>][]) {
        server.fake.denied.add(permission);
        await expect(call()).rejects.toMatchObject({
          ...{ code: 'permission-denied', retryable: false },
          hint: expect.stringContaining(`Allow the credentials ${permission} on `),
        });
        server.fake.denied.clear();
      }
    });

    it('takes what is there already for stored, where nothing may be replaced', async () => {
      const store = freshStore();
      await store.put('pack', Buffer.from('content'));
      server.fake.denied.add('storage.objects.delete');
      await store.put('pack', Buffer.from('content'));
      await expect(store.put('pack', Buffer.from('other'))).rejects.toMatchObject({ code: 'permission-denied' });
      await expect(store.put('pack', Buffer.from('content'), { ifAbsent: true })).rejects.toMatchObject({
        code: 'object-exists',
      });
      server.fake.denied.clear();
      expect(Buffer.from(await store.get('pack')).toString()).toBe('content');
    });

    it('says who pays, with every call', async () => {
      const paid = await server.bucket();
      server.fake.buckets.get(paid)!.billing = { requesterPays: true };
      for (const call of callsOf(freshStore({ bucket: paid }))) {
        await expect(call()).rejects.toMatchObject({
          code: 'store-failed',
          hint: expect.stringContaining('userProject'),
        });
      }
      const store = freshStore({ bucket: paid, userProject: 'payer', resumableFromBytes: 2 });
      await store.put('large', Buffer.from('content'));
      for (const call of callsOf(store)) await call();
      expect(await keysOf(store, '')).toEqual(['large']);
    });

    it('makes a bucket where it is to lie, and no bucket of somebody else its own', async () => {
      const name = `made-${randomBytes(6).toString('hex')}`;
      await freshStore({ bucket: name, project: 'mine', location: 'europe-west3' }).makePlace?.();
      expect(server.fake.buckets.get(name)).toMatchObject({
        project: 'mine',
        location: 'EUROPE-WEST3',
        isPrivate: true,
      });
      server.fake.denied.add('storage.objects.list');
      await expect(freshStore({ bucket: name, project: 'other' }).makePlace?.()).rejects.toMatchObject({
        code: 'permission-denied',
      });
      server.fake.denied.clear();
      delete process.env['GOOGLE_CLOUD_PROJECT'];
      await expect(freshStore({ bucket: `${name}-2` }).makePlace?.()).rejects.toMatchObject({
        ...{ code: 'store-failed', hint: expect.stringContaining('gcs: { project: … }') },
      });
      process.env['GOOGLE_CLOUD_PROJECT'] = server.variables['GOOGLE_CLOUD_PROJECT'];
    });

    it("goes where STORAGE_EMULATOR_HOST says, without credentials, as Google's client does", async () => {
      const { endpoint: _, ...place } = placeIn('', bucket, 'emulated');
      process.env['STORAGE_EMULATOR_HOST'] = proxy.endpoint;
      server.fake.isOpen = true;
      proxy.calls.length = 0;
      proxy.rule = () => undefined;
      const store = createGcsStore(place);
      delete process.env['STORAGE_EMULATOR_HOST'];
      await store.put('key', Buffer.from('x'));
      expect(await keysOf(store, '')).toEqual(['key']);
      server.fake.isOpen = false;
      expect(proxy.calls.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    });
  });
});

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}
