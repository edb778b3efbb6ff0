import { hash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import { type GcsServer, gcsServer, placeIn } from '../../../test/support/gcs-server.ts';
import { describeObjectLock } from '../../../test/support/lock-conformance.ts';
import { movableClock } from '../../../test/support/repository.ts';
import { reveal } from '../../repository/index.ts';
import type { ObjectLock, ObjectVersion, Retention } from '../index.ts';
import { LockedStore } from '../locked/index.ts';
import type { GcsStoreOptions } from './gcs-client.ts';
import { createGcsStore } from './index.ts';

const HOUR_MS = 3_600_000;
/** Another server than the tests' own grants what it likes. */
const isForeign = process.env['HOLDFAST_TEST_GCS_ENDPOINT'] !== undefined;

describe('Cloud Storage with Object Retention Lock', () => {
  let server: GcsServer;
  let proxy: FaultyProxy;
  let bucket: string;

  beforeAll(async () => {
    server = await gcsServer();
    bucket = await server.bucket({ lock: true });
    proxy = await startFaultyProxy(server.endpoint);
    return async () => {
      await proxy.close();
      await server.close();
    };
  });

  const freshStore = (options: Partial<GcsStoreOptions> = {}) =>
    createGcsStore({ ...placeIn(server.endpoint, bucket, `at/${randomBytes(6).toString('hex')}`), ...options });
  const forAnHour = (mode: Retention['mode'] = 'governance'): Retention => ({ mode, untilMs: Date.now() + HOUR_MS });

  describeObjectLock('a bucket', () => ({ store: freshStore() }));
  describeObjectLock('a bucket, in small pages and resumable uploads', () => ({
    store: freshStore({ listPageSize: 1, resumableFromBytes: 1 }),
  }));

  it('knows a bucket that locks nothing, and stores nothing there that is to be locked', async () => {
    const store = freshStore({ bucket: await server.bucket() });
    expect(await store.lock!.state()).toEqual({ keepsVersions: false, locks: false });
    await expect(store.put('key', Buffer.from('x'), { retention: forAnHour() })).rejects.toMatchObject({
      code: 'store-failed',
    });
    expect(await store.stat('key')).toBeUndefined();
  });

  it('takes nothing for locked that the server does not say is', async () => {
    const md5Hash = hash('md5', 'x', 'base64');
    const retentions = [
      undefined,
      { mode: 'Unlocked', retainUntilTime: new Date(Date.now() + HOUR_MS / 2).toISOString() },
    ];
    for (const retention of retentions) {
      const stored = { kind: 'storage#object', name: 'at/key', size: '1', md5Hash, retention };
      proxy.rule = () => ({ answer: { status: 200, body: JSON.stringify(stored) } });
      const store = createGcsStore(placeIn(proxy.endpoint, bucket, 'at'));
      await expect(store.put('key', Buffer.from('x'), { retention: forAnHour() })).rejects.toMatchObject({
        code: 'store-unsuitable',
      });
    }
  });

  it('lifts a lock of mode governance for who may and says so, and one of mode compliance for nobody', async () => {
    const store = freshStore();
    const own = store.lock!;
    await store.put('lifted', Buffer.from('x'), { retention: forAnHour() });
    await store.put('kept', Buffer.from('x'), { retention: forAnHour('compliance') });
    const [lifted, kept] = [await versionsOf(own, 'lifted'), await versionsOf(own, 'kept')];
    await own.removeVersion(lifted[0]!, { bypass: true });
    await expect(own.removeVersion(kept[0]!, { bypass: true })).rejects.toMatchObject({ code: 'permission-denied' });
    expect([await versionsOf(own, 'lifted'), (await versionsOf(own, 'kept')).length]).toEqual([[], 1]);
  });

  it.skipIf(isForeign)('makes a lock at least longer, where the credentials may make none stricter', async () => {
    const store = freshStore();
    await store.put('key', Buffer.from('x'), { retention: forAnHour() });
    const [version] = await versionsOf(store.lock!, 'key');
    const untilMs = Date.now() + 2 * HOUR_MS;
    server.fake.denied.add('storage.objects.overrideUnlockedRetention');
    await store.lock!.extend(version!, { mode: 'compliance', untilMs });
    server.fake.denied.clear();
    expect(await store.lock!.lockOf(version!)).toEqual({ mode: 'governance', untilMs });
  });

  it('leaves nothing of what is deleted and was never locked, and hides what was', async () => {
    const inner = freshStore();
    const rule = { mode: 'governance', forMs: HOUR_MS, clock: movableClock(Date.now()) } as const;
    const store = new LockedStore(inner, {
      ...rule,
      isLocked: (key) => key === 'locked',
      isRemovedLocked: () => false,
    });
    await store.put('freed', Buffer.from('another'));
    for (const key of ['free', 'locked']) {
      for (const content of ['first', 'second']) await store.put(key, Buffer.from(content));
      await store.delete(key);
      expect(await store.stat(key)).toBeUndefined();
    }
    expect((await versionsOf(inner.lock!, '')).map(({ key, isMarker }) => [key, isMarker])).toEqual([
      ['freed', false],
      ['locked', true],
      ['locked', false],
      ['locked', false],
    ]);
  });

  it.each(['live', 'deleted', 'locked'])(
    'shows again what was hidden behind other contents, the last of them %s',
    async (how) => {
      const store = freshStore();
      const lock = store.lock!;
      await store.put('key', Buffer.from('right'), { retention: forAnHour() });
      await store.put('key', Buffer.from('wrong'), how === 'locked' ? { retention: forAnHour() } : {});
      await store.put('key', Buffer.from('worse'));
      if (how === 'deleted') await store.delete('key');
      const versions = await versionsOf(lock, 'key');
      const at = versions.length - 1;
      const hidden = { key: 'key', how: 'replaced', version: versions[at]!, before: versions.slice(0, at) } as const;
      expect(await reveal(store, hidden)).toBe(how === 'locked' ? 'stored again' : 'uncovered');
      expect(Buffer.from(await store.get('key')).toString()).toBe('right');
      const [newest] = await versionsOf(lock, 'key');
      if (how !== 'locked') expect(await lock.lockOf(newest!)).toEqual(await lock.lockOf(versions[at]!));
    },
  );
});

async function versionsOf(lock: ObjectLock, prefix: string): Promise<ObjectVersion[]> {
  const versions: ObjectVersion[] = [];
  for await (const version of lock.listVersions(prefix)) versions.push(version);
  return versions;
}
