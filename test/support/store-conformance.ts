/** What every ObjectStore must do. An implementation's own test is a call of this with a factory. */

import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, type TestContext, it as test } from 'vitest';
import type { ObjectStore } from '../../src/store/index.ts';
import { noise } from './repository.ts';

const text = (content: string): Buffer => Buffer.from(content);

/** What `list` shows, and `names` where the store has it. */
async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  if (store.names !== undefined) expect((await store.names(prefix)).sort()).toEqual(keys.sort());
  return keys.sort();
}

/** Content given as a file: in the store's staging directory where it has one. */
function stagedFile(store: ObjectStore, content: Uint8Array): { file: string; sizeBytes: number } {
  const directory = store.stagingDirectory ?? mkdtempSync(join(tmpdir(), 'stage-'));
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `file-${Math.random()}`);
  writeFileSync(file, content);
  return { file, sizeBytes: content.byteLength };
}

/**
 * @param options.fails of a double that is not as it should be: the tests that must find that, by their titles
 */
// tidy-allow: a suite is a list of short tests
export function describeObjectStore(
  name: string,
  create: () => ObjectStore | Promise<ObjectStore>,
  { fails = [] }: { fails?: readonly string[] } = {},
): void {
  const run = (title: string, body: (context: TestContext) => unknown): void =>
    (fails.includes(title) ? test.fails : test)(title, body);
  const it = Object.assign(run, { each: test.each.bind(test) });
  // tidy-allow: a suite is a list of short tests
  describe(`${name} as an object store`, () => {
    it('gives back what was put, whole and in part', async () => {
      const store = await create();
      const content = noise(100_000);
      await store.put('data/ab/object', content);
      expect(Buffer.from(await store.get('data/ab/object')).equals(content)).toBe(true);
      const part = await store.get('data/ab/object', { offset: 1000, length: 500 });
      expect(Buffer.from(part).equals(content.subarray(1000, 1500))).toBe(true);
      expect(await store.get('data/ab/object', { offset: 100_000, length: 0 })).toHaveLength(0);
    });

    it('puts what is asked for into memory that it is given, or into its own', async () => {
      const store = await create();
      const content = noise(100_000);
      await store.put('data/ab/object', content);
      const into = new Uint8Array(new SharedArrayBuffer(70_000));
      const part = await store.get('data/ab/object', { offset: 1000, length: 70_000 }, { into });
      expect(Buffer.from(part).equals(content.subarray(1000, 71_000))).toBe(true);
      // The whole does not go in.
      const whole = await store.get('data/ab/object', undefined, { into });
      expect(Buffer.from(whole).equals(content)).toBe(true);
    });

    it('keeps an empty object', async () => {
      const store = await create();
      await store.put('empty', text(''));
      expect(await store.get('empty')).toHaveLength(0);
      expect(await store.stat('empty')).toMatchObject({ key: 'empty', sizeBytes: 0 });
    });

    it('takes a file as content, and the file is gone afterwards', async () => {
      const store = await create();
      const content = stagedFile(store, noise(5000));
      await store.put('from-file', content);
      expect(Buffer.from(await store.get('from-file')).equals(noise(5000))).toBe(true);
      expect(existsSync(content.file)).toBe(false);
    });

    it('is not changed by what happens to a buffer that was put, or to one that it gave', async () => {
      const store = await create();
      const content = text('before');
      await store.put('object', content);
      content.fill(0);
      (await store.get('object')).fill(0);
      expect(Buffer.from(await store.get('object')).toString()).toBe('before');
    });

    it('replaces an object', async () => {
      const store = await create();
      await store.put('object', text('a long first one'));
      await store.put('object', text('second'));
      expect(Buffer.from(await store.get('object')).toString()).toBe('second');
    });

    it('refuses a range that goes beyond the end, naming the object', async () => {
      const store = await create();
      await store.put('object', text('0123456789'));
      for (const range of [
        { offset: 5, length: 6 },
        { offset: 11, length: 1 },
      ]) {
        await expect(store.get('object', range)).rejects.toThrow(/^object in .* ends before byte/);
      }
    });

    it('says object-missing of what is not there', async () => {
      const store = await create();
      await store.put('there/object', text('x'));
      for (const key of ['nothing', 'no/such/place', 'there', 'there/object/inside']) {
        await expect(store.get(key)).rejects.toMatchObject({ code: 'object-missing' });
        expect(await store.stat(key)).toBeUndefined();
      }
    });

    it('deletes, and does not mind what is gone already', async () => {
      const store = await create();
      await store.put('a/object', text('x'));
      await store.delete('a/object');
      await store.delete('a/object');
      await store.delete('never/was');
      expect(await store.stat('a/object')).toBeUndefined();
      expect(await keysOf(store, '')).toEqual([]);
    });

    it('lists what lies below a prefix, at any depth, with sizes and times', async () => {
      const store = await create();
      const before = Date.now() - 2000;
      for (const key of ['a/1', 'a/b/2', 'ab/3', 'c']) await store.put(key, text(key));
      expect(await keysOf(store, '')).toEqual(['a/1', 'a/b/2', 'ab/3', 'c']);
      expect(await keysOf(store, 'a/')).toEqual(['a/1', 'a/b/2']);
      expect(await keysOf(store, 'a/b/')).toEqual(['a/b/2']);
      expect(await keysOf(store, 'nothing/')).toEqual([]);
      for await (const { sizeBytes, modifiedMs } of store.list('ab/')) {
        expect(sizeBytes).toBe(4);
        expect(modifiedMs).toBeGreaterThan(before);
        expect(modifiedMs).toBeLessThan(Date.now() + 2000);
      }
    });

    it('lists while objects come and go', async () => {
      const store = await create();
      for (let index = 0; index < 50; index++) await store.put(`many/${index}`, text('x'));
      let seen = 0;
      for await (const { key } of store.list('many/')) {
        if (seen++ === 0) for (let index = 0; index < 50; index++) await store.delete(`many/${index}`);
        expect(key).toMatch(/^many\/\d+$/);
      }
      expect(await keysOf(store, 'many/')).toEqual([]);
    });

    it.each([
      '',
      '/',
      '/etc/passwd',
      '../outside',
      'a/../b',
      'a//b',
      'a/',
      '.hidden',
      'a/.b',
      'a b',
      'a\0',
      'x'.repeat(600),
    ])('refuses %j as a key everywhere', async (key) => {
      const store = await create();
      for (const attempt of [
        () => store.put(key, text('x')),
        () => store.get(key),
        () => store.stat(key),
        () => store.delete(key),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'internal' });
      }
    });

    it('decides a race of conditional puts, where it says that it can', async ({ skip }) => {
      const store = await create();
      if (!(await store.capabilities()).conditionalPut) skip('it does not say so');
      const racers = Array.from({ length: 8 }, (_, index) => store.put('once', text(`${index}`), { ifAbsent: true }));
      const results = await Promise.allSettled(racers);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'object-exists' });
      }
      const winner = results.findIndex(({ status }) => status === 'fulfilled');
      expect(Buffer.from(await store.get('once')).toString()).toBe(`${winner}`);
      const content = stagedFile(store, text('late'));
      await expect(store.put('once', content, { ifAbsent: true })).rejects.toMatchObject({ code: 'object-exists' });
      expect(existsSync(content.file)).toBe(false);
    });

    it('is what a map would be, whatever is done to it', async () => {
      const key = fc.constantFrom('a', 'b/c', 'b/d', 'e/f/g');
      const action = fc.oneof(
        fc.record({ kind: fc.constant('put' as const), key, value: fc.string() }),
        fc.record({ kind: fc.constant('delete' as const), key, value: fc.constant('') }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
          const store = await create();
          const model = new Map<string, string>();
          for (const { kind, key: at, value } of actions) {
            await (kind === 'put' ? store.put(at, text(value)) : store.delete(at));
            if (kind === 'put') model.set(at, value);
            else model.delete(at);
          }
          expect(await keysOf(store, '')).toEqual([...model.keys()].sort());
          for (const [at, value] of model) expect(Buffer.from(await store.get(at)).toString()).toBe(value);
        }),
        { numRuns: 15 },
      );
    });
  });
}
