/** What every store with versions and object lock must do. An implementation's own test is a call of this with a factory. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ObjectLock, ObjectStore, ObjectVersion } from '../../src/store/index.ts';

const HOUR_MS = 3_600_000;
const text = (content: string): Buffer => Buffer.from(content);
const inMs = (ms: number): number => Math.ceil((Date.now() + ms) / 1000) * 1000;

export interface LockableStore {
  /** In a place where versions are kept and can be locked; what is locked may be left behind. */
  store: ObjectStore;
  /** Lets time pass, where `movesTime` says so. */
  advance?: (ms: number) => void;
}

async function versionsOf(lock: ObjectLock, prefix: string): Promise<ObjectVersion[]> {
  const versions: ObjectVersion[] = [];
  for await (const version of lock.listVersions(prefix)) versions.push(version);
  return versions;
}

// tidy-allow: a suite is a list of short tests
export function describeObjectLock(
  name: string,
  create: () => LockableStore | Promise<LockableStore>,
  { movesTime = false } = {},
): void {
  /** A store with one locked object, at a key of its own. */
  const locked = async (untilMs = inMs(HOUR_MS)) => {
    const { store, advance } = await create();
    const lock = store.lock!;
    const key = `locked/${randomBytes(6).toString('hex')}`;
    await store.put(key, text('first'), { retention: { mode: 'governance', untilMs } });
    const [first] = await versionsOf(lock, key);
    return { store, advance, lock, key, first: first!, untilMs };
  };
  const contentOf = async (store: ObjectStore, key: string) => Buffer.from(await store.get(key)).toString();

  // tidy-allow: a suite is a list of short tests
  describe(`${name} with object lock`, () => {
    it('says that it keeps versions and can lock them', async () => {
      const { store } = await create();
      expect(await store.lock!.state()).toEqual({ keepsVersions: true, locks: true });
    });

    it('locks what is put so, and removes no version of it', async () => {
      const { store, lock, key, first, untilMs } = await locked();
      expect(await lock.lockOf(first)).toEqual({ mode: 'governance', untilMs });
      await expect(lock.removeVersion(first)).rejects.toMatchObject({ code: 'permission-denied' });
      expect(await contentOf(store, key)).toBe('first');
    });

    it('lets go of what is not locked', async () => {
      const { store } = await create();
      const lock = store.lock!;
      await store.put('free/object', text('x'));
      const [version] = await versionsOf(lock, 'free/');
      expect(version).toMatchObject({ key: 'free/object', sizeBytes: 1, isMarker: false, isNewest: true });
      expect(await lock.lockOf(version!)).toBeUndefined();
      await lock.removeVersion(version!);
      await lock.removeVersion(version!);
      expect(await versionsOf(lock, 'free/')).toEqual([]);
      expect(await store.stat('free/object')).toBeUndefined();
      for (const ask of [() => lock.getVersion(version!), () => lock.lockOf(version!)]) {
        await expect(ask()).rejects.toMatchObject({ code: 'object-missing' });
      }
    });

    it('hides a locked object that is deleted', async () => {
      const { store, lock, key, first } = await locked();
      await store.delete(key);
      expect(await store.stat(key)).toBeUndefined();
      const versions = await versionsOf(lock, key);
      expect(versions).toMatchObject([
        { key, isMarker: true, isNewest: true, sizeBytes: 0 },
        { key, id: first.id, isMarker: false, isNewest: false, sizeBytes: 5 },
      ]);
      expect(Buffer.from(await lock.getVersion(first)).toString()).toBe('first');
      expect(Buffer.from(await lock.getVersion(first, { offset: 1, length: 3 })).toString()).toBe('irs');
      await expect(lock.getVersion(versions[0]!)).rejects.toMatchObject({ code: 'object-missing' });
      await lock.removeVersion(versions[0]!);
      expect(await contentOf(store, key)).toBe('first');
    });

    it('hides a locked object that is replaced', async () => {
      const { store, lock, key, first } = await locked();
      await store.put(key, text('other'));
      const [second, below] = await versionsOf(lock, key);
      expect([second?.isNewest, below?.id, below?.isNewest]).toEqual([true, first.id, false]);
      expect(second?.tag === undefined || second.tag !== below?.tag).toBe(true);
      expect(Buffer.from(await lock.getVersion(first)).toString()).toBe('first');
      await lock.removeVersion(second!);
      expect(await contentOf(store, key)).toBe('first');
    });

    it('makes locks longer and stricter, and never shorter or weaker', async () => {
      const { lock, first, untilMs } = await locked();
      const laterMs = untilMs + HOUR_MS;
      await lock.extend(first, { mode: 'governance', untilMs: laterMs });
      expect(await lock.lockOf(first)).toEqual({ mode: 'governance', untilMs: laterMs });
      await lock.extend(first, { mode: 'governance', untilMs });
      expect(await lock.lockOf(first)).toEqual({ mode: 'governance', untilMs: laterMs });
      await lock.extend(first, { mode: 'compliance', untilMs });
      expect(await lock.lockOf(first)).toEqual({ mode: 'compliance', untilMs: laterMs });
      await lock.extend(first, { mode: 'governance', untilMs: laterMs + HOUR_MS });
      expect(await lock.lockOf(first)).toEqual({ mode: 'compliance', untilMs: laterMs + HOUR_MS });
    });

    it('locks what was put without a lock', async () => {
      const { store } = await create();
      const lock = store.lock!;
      await store.put('later/object', text('x'));
      const [version] = await versionsOf(lock, 'later/object');
      const untilMs = inMs(HOUR_MS);
      await lock.extend(version!, { mode: 'governance', untilMs });
      expect(await lock.lockOf(version!)).toEqual({ mode: 'governance', untilMs });
      await expect(lock.removeVersion(version!)).rejects.toMatchObject({ code: 'permission-denied' });
      const gone = { key: 'later/object', id: `${version!.id}0` };
      await expect(lock.extend(gone, { mode: 'governance', untilMs })).rejects.toMatchObject({
        code: expect.stringMatching(/object-missing|store-failed/),
      });
    });

    it('lists versions below a prefix alone, those of each object together', async () => {
      const { store } = await create();
      const lock = store.lock!;
      for (const key of ['v/a', 'v/b', 'v/a', 'va/c']) await store.put(key, text(key));
      const listed = (await versionsOf(lock, 'v/')).map(({ key, isNewest }) => [key, isNewest]);
      expect(listed.sort()).toEqual([
        ['v/a', false],
        ['v/a', true],
        ['v/b', true],
      ]);
    });

    if (!movesTime) return;
    it('removes a version whose lock has run out', async () => {
      const { store, lock, key, first, advance } = await locked();
      advance!(2 * HOUR_MS);
      await lock.removeVersion(first);
      expect(await store.stat(key)).toBeUndefined();
    });
  });
}
