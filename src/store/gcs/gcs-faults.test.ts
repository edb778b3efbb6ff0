import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type FaultyProxy,
  type Mishap,
  type ProxiedCall,
  startFaultyProxy,
} from '../../../test/support/faulty-proxy.ts';
import { type GcsServer, gcsServer, placeIn } from '../../../test/support/gcs-server.ts';
import { noise } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { resticCheckCopy } from '../../../test/support/restic.ts';
import { describeStoreFaults } from '../../../test/support/store-faults.ts';
import { systemClock } from '../../foundation/clock.ts';
import type { Content } from '../index.ts';
import { RetryingStore } from '../retrying/index.ts';
import { createGcsStore } from './index.ts';

/** Another server than the tests' own gives out its tokens itself. */
const isForeign = process.env['HOLDFAST_TEST_GCS_ENDPOINT'] !== undefined;
const SIGNAL = new AbortController().signal;

describe.skipIf(!requires('restic'))('Cloud Storage', () => {
  let server: GcsServer;
  let bucket: string;

  beforeAll(async () => {
    server = await gcsServer();
    bucket = await server.bucket();
    return () => server.close();
  });

  const message = 'tests does not have storage.objects.get access to the Google Cloud Storage object.';
  const error = { code: 403, message, errors: [{ message, domain: 'global', reason: 'forbidden' }] };
  const other = { kind: 'storage#object', name: 'at/new', size: '50000', md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' };

  describeStoreFaults('a bucket', async () => ({
    endpoint: server.endpoint,
    create: ({ endpoint, prefix, ...options }) => createGcsStore({ ...placeIn(endpoint, bucket, prefix), ...options }),
    answers: {
      forbidden: { answer: { status: 403, body: JSON.stringify({ error }) } },
      permission: 'storage.objects.get',
      otherContent: { answer: { status: 200, body: JSON.stringify(other) } },
    },
    resticCheck: (prefix) => resticCheckCopy(createGcsStore(placeIn(server.endpoint, bucket, prefix))),
  }));

  it('takes no answer for an object that the service did not give', async () => {
    const proxy = await startFaultyProxy(server.endpoint);
    const store = createGcsStore(placeIn(proxy.endpoint, bucket, 'other'));
    await store.put('old', Buffer.from('content'));
    for (const body of ['', '{}', '{"kind":"sign-in page"}', '<html>Sign in</html>', 'null']) {
      proxy.rule = () => ({ answer: { status: 200, body } });
      const first = () => store.list('')[Symbol.asyncIterator]().next();
      for (const call of [() => store.get('old'), () => store.stat('old'), first]) {
        await expect(call()).rejects.toMatchObject({ code: 'store-unreachable', retryable: true });
      }
    }
    await proxy.close();
  });

  describe('an upload that breaks', () => {
    const CONTENT = noise(1_500_000);
    const PART = 256 * 1024;
    let proxy: FaultyProxy;

    beforeAll(async () => {
      proxy = await startFaultyProxy(server.endpoint);
      return () => proxy.close();
    });

    /** How uploads go of which the parts break so; what each request brought, in bytes. */
    async function sent(content: Content, ...mishaps: (Mishap | undefined)[]): Promise<number[]> {
      const isPart = ({ method }: ProxiedCall) => method === 'PUT';
      proxy.calls.length = 0;
      proxy.rule = (call) => (isPart(call) ? mishaps.shift() : undefined);
      const store = createGcsStore({ ...placeIn(proxy.endpoint, bucket, 'broken'), resumableFromBytes: PART });
      const retrying = new RetryingStore(store, { clock: systemClock, signal: SIGNAL, wait: async () => {} });
      await retrying.put('large', content);
      proxy.rule = () => undefined;
      expect(CONTENT.equals(await store.get('large'))).toBe(true);
      return proxy.calls.filter(isPart).map(({ headers }) => Number(headers['content-length']));
    }

    it('goes on where the server has it, however often', async () => {
      const file = join(mkdtempSync(join(tmpdir(), 'put-')), 'content');
      writeFileSync(file, CONTENT);
      const broken = { breakRequestBehindAfter: 3 * PART + 10 };
      const uploads = await sent({ file, sizeBytes: CONTENT.length }, broken, undefined, {
        breakRequestBehindAfter: PART,
      });
      const rest = CONTENT.length - 3 * PART;
      expect(uploads).toEqual([CONTENT.length, 0, rest, 0, rest - PART]);
      expect(existsSync(file)).toBe(false);
    });

    it('is known to be over when only the answer was lost', async () => {
      expect(await sent(CONTENT, { answerAfterwards: { status: 503 } })).toEqual([CONTENT.length, 0]);
    });

    it('begins anew where the server does not know of it any more, or has nothing of it', async () => {
      const gone = { answer: { status: 410 } };
      expect(await sent(CONTENT, { breakRequestAfter: 1 }, gone)).toEqual([CONTENT.length, 0, CONTENT.length]);
      expect(await sent(CONTENT, { breakRequestAfter: 1 })).toEqual([CONTENT.length, 0, CONTENT.length]);
      expect(await sent(CONTENT, { flip: 'request' })).toEqual([CONTENT.length, CONTENT.length]);
    });

    it('never goes on with other content, nor under another name', async () => {
      const store = createGcsStore({ ...placeIn(proxy.endpoint, bucket, 'other'), resumableFromBytes: PART });
      const content = Buffer.from(CONTENT);
      proxy.rule = ({ method }) => (method === 'PUT' ? { breakRequestBehindAfter: 2 * PART } : undefined);
      await expect(store.put('first', content)).rejects.toMatchObject({ code: 'store-unreachable', retryable: true });
      proxy.rule = () => undefined;
      await store.put('second', content);
      expect(CONTENT.equals(await store.get('second'))).toBe(true);
      proxy.rule = ({ method }) => (method === 'PUT' ? { breakRequestBehindAfter: 2 * PART } : undefined);
      await expect(store.put('first', content)).rejects.toMatchObject({ retryable: true });
      proxy.rule = () => undefined;
      content.fill(0, 0, PART);
      await store.put('first', content);
      expect(content.equals(await store.get('first'))).toBe(true);
    });

    it('is refused as others are, where something is there already', async () => {
      const store = createGcsStore({ ...placeIn(proxy.endpoint, bucket, 'absent'), resumableFromBytes: 1 });
      await store.put('there', CONTENT, { ifAbsent: true });
      await expect(store.put('there', CONTENT, { ifAbsent: true })).rejects.toMatchObject({ code: 'object-exists' });
    });
  });

  it('never shows what arrived altered', async () => {
    const proxy = await startFaultyProxy(server.endpoint);
    for (const resumableFromBytes of [1, 1_000_000]) {
      const store = createGcsStore({ ...placeIn(proxy.endpoint, bucket, 'altered'), resumableFromBytes });
      proxy.rule = ({ headers }) => (Number(headers['content-length']) > 5000 ? { flip: 'request' } : undefined);
      await expect(store.put('new', noise(5001))).rejects.toMatchObject({ code: 'store-unreachable', retryable: true });
      proxy.rule = () => undefined;
      expect(await store.stat('new')).toBeUndefined();
    }
    await proxy.close();
  });

  it('tells no credentials to whoever an answer names as the place of an upload', async () => {
    const [proxy, elsewhere] = [await startFaultyProxy(server.endpoint), await startFaultyProxy(server.endpoint)];
    const store = createGcsStore({ ...placeIn(proxy.endpoint, bucket, 'led'), resumableFromBytes: 1 });
    const location = `${elsewhere.endpoint}/upload/storage/v1/b/${bucket}/o?upload_id=other`;
    proxy.rule = () => ({ answer: { status: 200, headers: { location } } });
    await expect(store.put('new', Buffer.from('x'))).rejects.toMatchObject({ code: expect.any(String) });
    expect(proxy.calls[0]?.headers.authorization).toMatch(/^Bearer /);
    expect(elsewhere.calls.length).toBeGreaterThan(0);
    for (const { headers } of elsewhere.calls) expect(headers.authorization).toBeUndefined();
    await Promise.all([proxy.close(), elsewhere.close()]);
  });

  it.skipIf(isForeign)('asks anew for a token that is no longer taken, once', async () => {
    const store = createGcsStore(placeIn(server.endpoint, bucket, 'expired'));
    await store.put('old', Buffer.from('content'));
    const given = server.fake.tokensGiven;
    await store.stat('old');
    expect(server.fake.tokensGiven).toBe(given);
    server.fake.expireTokens();
    await store.put('old', Buffer.from('renewed'));
    expect(server.fake.tokensGiven).toBe(given + 1);
    expect(Buffer.from(await store.get('old')).toString()).toBe('renewed');
    const proxy = await startFaultyProxy(server.endpoint);
    proxy.rule = () => ({ answer: { status: 401 } });
    await expect(createGcsStore(placeIn(proxy.endpoint, bucket)).stat('old')).rejects.toMatchObject({
      ...{ code: 'permission-denied', hint: expect.stringContaining('renew them') },
    });
    expect(proxy.calls).toHaveLength(2);
    await proxy.close();
  });
});
