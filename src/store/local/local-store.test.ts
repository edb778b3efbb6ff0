import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BAD_SECTOR } from '../../../test/support/damage.ts';
import { testDirectory } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import type { ObjectStore } from '../index.ts';
import { createLocalStore } from './local-store.ts';

describeObjectStore('a local directory', () => createLocalStore(join(testDirectory(), 'not', 'yet', 'there')));

describe('a local store', () => {
  it('leaves nothing in its staging directory', async () => {
    const directory = testDirectory();
    const store = createLocalStore(directory);
    await store.put('object', Buffer.from('x'));
    await store.put('object', Buffer.from('x'), { ifAbsent: true }).catch(() => 'it is there');
    expect(readdirSync(join(directory, '.staging'))).toEqual([]);
  });

  it('reads every one of many parts alike, and says of each that ends early or is gone that it does', async () => {
    const directory = testDirectory();
    const store = createLocalStore(directory);
    const content = Buffer.from('abcdefghij'.repeat(10));
    await store.put('data/ab/object', content);
    const parts = Array.from({ length: 70 }, (_, offset) => ({ offset, length: 10 }));
    const read = await Promise.all(parts.map((part) => store.get('data/ab/object', part)));
    expect(read.map((bytes) => Buffer.from(bytes).toString())).toEqual(
      parts.map(({ offset, length }) => content.toString('utf8', offset, offset + length)),
    );
    for (const _ of parts) {
      await expect(store.get('data/ab/object', { offset: 95, length: 10 })).rejects.toMatchObject({
        code: 'repository-damaged',
      });
      await expect(store.get('data/ab/gone', { offset: 0, length: 10 })).rejects.toMatchObject({
        code: 'object-missing',
      });
    }
  });

  it('keeps what it stores from other users', async () => {
    const directory = join(testDirectory(), 'store');
    await createLocalStore(directory).put('data/ab/object', Buffer.from('x'));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'data', 'ab')).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'data', 'ab', 'object')).mode & 0o777).toBe(0o600);
  });

  it('lists no file that is not an object', async () => {
    const directory = testDirectory();
    const store = createLocalStore(directory);
    await store.put('data/object', Buffer.from('x'));
    writeFileSync(join(directory, 'data', 'a copy of object~ (1)'), 'x');
    writeFileSync(join(directory, 'data', '.hidden'), 'x');
    symlinkSync('/nonexistent', join(directory, 'data', 'dangling'));
    mkdirSync(join(directory, 'data', 'empty'));
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    expect(keys).toEqual(['data/object']);
  });

  it('keeps no directory that was made for what is gone, but those that other programs know', async () => {
    const directory = testDirectory();
    const [one, other] = [createLocalStore(directory), createLocalStore(directory)];
    for (const key of ['ours/ledger/writer/1', 'data/ab/pack']) {
      await one.put(key, Buffer.from('x'));
      await other.delete(key);
    }
    expect(readdirSync(join(directory, 'ours', 'ledger'))).toEqual([]);
    expect(readdirSync(join(directory, 'data'))).toEqual(['ab']);
    // Who made it knows nothing of that, and makes it again.
    await one.put('ours/ledger/writer/2', Buffer.from('x'), { ifAbsent: true });
    await one.put('ours/ledger/writer/3', Buffer.from('x'));
    expect(readdirSync(join(directory, 'ours', 'ledger', 'writer'))).toEqual(['2', '3']);
  });

  it('takes what others put while the directory of it comes and goes', async () => {
    const directory = testDirectory();
    const keys = ['1', '2', '3'].map((name) => `ours/leases/daemon/${name}`);
    await Promise.all(
      keys.map(async (key) => {
        const store = createLocalStore(directory);
        for (let time = 0; time < 60; time++) {
          await store.put(key, Buffer.from('x'), { ifAbsent: true });
          await store.delete(key);
        }
      }),
    );
    expect(readdirSync(join(directory, 'ours', 'leases'))).toEqual([]);
  });

  it('removes what a dead writer staged long ago, and nothing younger', async () => {
    const directory = testDirectory();
    mkdirSync(join(directory, '.staging'));
    for (const [name, ageDays] of [
      ['old', 8],
      ['young', 2],
    ] as const) {
      const file = join(directory, '.staging', name);
      writeFileSync(file, 'x');
      const time = Date.now() / 1000 - ageDays * 86_400;
      utimesSync(file, time, time);
    }
    await createLocalStore(directory).put('object', Buffer.from('x'));
    expect(readdirSync(join(directory, '.staging'))).toEqual(['young']);
  });

  describe('whose directory is away', () => {
    const away = { code: 'store-unreachable', retryable: true };
    const listed = async (store: ObjectStore) => {
      for await (const { key } of store.list('')) return key;
      return undefined;
    };

    it.each([
      ['is not there', () => {}],
      ['is an empty one, as that which a disk was mounted on', (directory: string) => mkdirSync(directory)],
    ])('puts nothing in its place, and knows nothing, when it %s', async (_, instead) => {
      const directory = join(testDirectory(), 'store');
      const store = createLocalStore(directory);
      await store.put('config', Buffer.from('x'));
      await store.get('config');
      renameSync(directory, `${directory}-away`);
      instead(directory);
      await expect(store.put('data/object', Buffer.from('x'))).rejects.toMatchObject(away);
      await expect(listed(store)).rejects.toMatchObject(away);
      await expect(store.get('config')).rejects.toMatchObject(away);
      await expect(store.stat('config')).rejects.toMatchObject(away);
      await expect(store.delete('config')).rejects.toMatchObject(away);
      rmSync(directory, { recursive: true, force: true });
      renameSync(`${directory}-away`, directory);
      await store.put('data/object', Buffer.from('x'));
      expect(await store.stat('config')).toBeDefined();
    });

    it('goes on where all of it was moved elsewhere', async () => {
      const directory = join(testDirectory(), 'store');
      const store = createLocalStore(directory);
      await store.put('config', Buffer.from('x'));
      await store.get('config');
      renameSync(directory, `${directory}-old`);
      cpSync(`${directory}-old`, directory, { recursive: true });
      await store.put('data/object', Buffer.from('x'));
      expect(existsSync(join(directory, 'data', 'object'))).toBe(true);
    });
  });

  it('takes a file from another file system', async ({ skip }) => {
    const directory = testDirectory();
    const isOther = (path: string): boolean => existsSync(path) && statSync(path).dev !== statSync(directory).dev;
    const other = ['/dev/shm', '/var/tmp', '/tmp'].find(isOther);
    if (other === undefined) return skip('there is only one file system');
    const file = join(other, `holdfast-test-${process.pid}`);
    writeFileSync(file, 'x'.repeat(100_000));
    const store = createLocalStore(directory);
    await store.put('object', { file, sizeBytes: 100_000 });
    expect(await store.get('object')).toHaveLength(100_000);
    expect(existsSync(file)).toBe(false);
  });

  it('says that it cannot write when its directory goes away, and goes on when it is back', async () => {
    const directory = join(testDirectory(), 'store');
    const store = createLocalStore(directory);
    await store.put('data/object', Buffer.from('x'));
    rmSync(directory, { recursive: true });
    await expect(store.put('data/object', Buffer.from('x'))).rejects.toMatchObject({ code: 'store-failed' });
    await store.put('data/object', Buffer.from('y'));
    expect(Buffer.from(await store.get('data/object')).toString()).toBe('y');
  });

  describe('of which an object cannot be read', () => {
    const badObject = (directory: string, key: string): void => {
      mkdirSync(dirname(join(directory, key)), { recursive: true });
      symlinkSync(BAD_SECTOR, join(directory, key));
    };
    const range = { offset: 0, length: 10 };

    it('says so of that one, with what to do, while others can', async () => {
      const directory = testDirectory();
      const store = createLocalStore(directory);
      await store.put('config', Buffer.from('x'));
      await store.get('config');
      badObject(directory, 'data/ab/object');
      await expect(store.get('data/ab/object', range)).rejects.toMatchObject({
        code: 'object-unreadable',
        message: expect.stringMatching(/^cannot read data\/ab\/object in .*: EIO/),
        hint: expect.stringContaining('`dmesg`'),
      });
    });

    it('is a store that fails where the others cannot be read either, or none was', async () => {
      const directory = testDirectory();
      const store = createLocalStore(directory);
      badObject(directory, 'data/ab/object');
      await expect(store.get('data/ab/object', range)).rejects.toMatchObject({ code: 'store-failed' });
      await store.put('config', Buffer.from('x'));
      await store.get('config');
      rmSync(join(directory, 'config'));
      badObject(directory, 'config');
      await expect(store.get('data/ab/object', range)).rejects.toMatchObject({ code: 'store-failed' });
      await expect(store.get('config', range)).rejects.toMatchObject({ code: 'store-failed' });
    });
  });

  it('says what stands in the way of a directory', async () => {
    const directory = testDirectory();
    writeFileSync(join(directory, 'file'), '');
    const store = createLocalStore(join(directory, 'file'));
    await expect(store.put('object', Buffer.from('x'))).rejects.toMatchObject({ code: 'store-failed' });
    await expect(store.get('object')).rejects.toMatchObject({ code: 'object-missing' });
  });
});

describe.skipIf(!requires('tmpfs'))('a local store on a disk of its own', () => {
  function withTmpfs(options: string, work: (directory: string) => Promise<void>): Promise<void> {
    const directory = testDirectory();
    spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
    return work(directory).finally(() => spawnSync('umount', ['-l', directory]));
  }

  it('says disk-full, and keeps no part of the object', () =>
    withTmpfs('size=1m', async (directory) => {
      const store = createLocalStore(directory);
      await store.put('small', Buffer.alloc(1000, 1));
      await expect(store.put('large', Buffer.alloc(2 << 20, 1))).rejects.toMatchObject({ code: 'disk-full' });
      expect(await store.stat('large')).toBeUndefined();
      expect(readdirSync(join(directory, '.staging'))).toEqual([]);
      expect(await store.get('small')).toHaveLength(1000);
    }));

  it('says permission-denied on a disk that is read-only', () =>
    withTmpfs('size=1m', async (directory) => {
      const store = createLocalStore(directory);
      await store.put('object', Buffer.from('x'));
      spawnSync('mount', ['-o', 'remount,ro', directory]);
      await expect(store.put('object', Buffer.from('y'))).rejects.toMatchObject({
        code: 'permission-denied',
        message: expect.stringMatching(/the file system is read-only$/),
        hint: expect.stringContaining('Mount it'),
      });
      await expect(store.delete('object')).rejects.toMatchObject({ code: 'permission-denied' });
      expect(Buffer.from(await store.get('object')).toString()).toBe('x');
    }));
});
