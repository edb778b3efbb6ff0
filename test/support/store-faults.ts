/**
 * What every store behind HTTP must bear of a network and of a server that go wrong: each mishap is passed on by a proxy
 * to a real server. A store's own test is a call of this.
 */

import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HoldfastError, isHoldfastError } from '../../src/foundation/errors.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { RetryingStore } from '../../src/store/retrying/index.ts';
import { startCuttingProxy } from './cutting-proxy.ts';
import { type FaultyProxy, type Mishap, startFaultyProxy } from './faulty-proxy.ts';
import { errorsOf, movableClock, noise, readFiles, testRepository, writeFiles } from './repository.ts';

/** At how many bytes a line is cut, beside the first and the last, for each kind of call. */
const CUTS = Number(process.env['HOLDFAST_TEST_CUTS'] ?? 2);

/** A bucket of its own, and how a store reaches it. */
export interface FaultyPlace {
  /** The server's own. */
  endpoint: string;
  create(options: PlaceOptions): ObjectStore;
  /** Answers as this server words them. */
  answers: {
    /** A refusal for lack of a permission. */
    forbidden: Mishap;
    /** What the hint then says. */
    permission: string;
    /** A success that names other content than was sent. */
    otherContent: Mishap;
  };
  /** Stock restic's check of a repository, every byte read. @throws when it is not clean */
  resticCheck(prefix: string): Promise<void>;
  close?(): Promise<void>;
}

export interface PlaceOptions {
  endpoint: string;
  prefix: string;
  idleTimeoutMs?: number;
  listPageSize?: number;
}

// tidy-allow: a suite is a list of short tests
export function describeStoreFaults(name: string, start: () => Promise<FaultyPlace>): void {
  // tidy-allow: a suite is a list of short tests
  describe(`${name} behind a network that goes wrong`, () => {
    let place: FaultyPlace;
    let proxy: FaultyProxy;
    let clock = movableClock();
    let waits: number[] = [];

    beforeAll(async () => {
      place = await start();
      proxy = await startFaultyProxy(place.endpoint);
      return async () => {
        await proxy.close();
        await place.close?.();
      };
    });

    beforeEach(() => {
      proxy.calls.length = 0;
      proxy.rule = () => undefined;
      clock = movableClock();
      waits = [];
    });

    /** A store whose waits take no time but that of a clock. */
    function retrying(options: Partial<PlaceOptions> = {}, signal = new AbortController().signal): ObjectStore {
      const wait = async (ms: number): Promise<void> => {
        waits.push(ms);
        clock.advance(ms);
      };
      const store = place.create({ endpoint: proxy.endpoint, prefix: 'at', idleTimeoutMs: 10_000, ...options });
      return new RetryingStore(store, { clock, signal, wait, random: () => 0.5 });
    }

    /** The same of the server itself. */
    const direct = (): ObjectStore => place.create({ endpoint: place.endpoint, prefix: 'at' });

    /** The first `count` calls go wrong so. */
    function failing(mishap: Mishap, count = 2): void {
      proxy.rule = (_, index) => (index < count ? mishap : undefined);
    }

    const CONTENT = noise(50_000);

    it.each<[string, Mishap]>([
      ['500', { answer: { status: 500 } }],
      ['502 with a page', { answer: { status: 502, body: '<html>Bad gateway' } }],
      ['503', { answer: { status: 503, body: 'Slow down' } }],
      ['429', { answer: { status: 429 } }],
      ['503 after the effect', { answerAfterwards: { status: 503 } }],
      ['no answer at all', 'silence'],
      ['an answer that is not HTTP', 'nonsense'],
      ['a reset at the first byte of the request', { breakRequestAfter: 0 }],
      ['a reset before the answer', { breakAnswerAfter: -1 }],
    ])('takes %s for passing, whatever was asked', async (_, mishap) => {
      // On a busy machine, a short patience would end calls that are answered.
      const store = retrying(mishap === 'silence' ? { idleTimeoutMs: 500 } : {});
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

    it.each(['request', 'answer'] as const)('bears a reset at any byte of a %s, its head too', async (direction) => {
      const line = await startCuttingProxy(place.endpoint);
      try {
        const content = noise(3000, direction);
        const put = (bytes: Buffer) => place.create({ endpoint: place.endpoint, prefix: 'cut' }).put('new', bytes);
        /** Through connections of its own. */
        const through = () => retrying({ endpoint: line.endpoint, prefix: 'cut' });
        const calls: [name: string, call: () => Promise<unknown>][] = [
          ['put', () => through().put('new', content)],
          ['stat', async () => expect(await through().stat('new')).toMatchObject({ sizeBytes: 3000 })],
          ['get', async () => expect(Buffer.from(await through().get('new')).equals(content)).toBe(true)],
          ['list', async () => expect(await keysOf(through(), '')).toEqual(['new'])],
          ['delete', () => through().delete('new')],
        ];
        await through().delete('new');
        for (const [name, call] of calls) {
          line.passedBytes[direction] = 0;
          await call();
          const totalBytes = line.passedBytes[direction];
          expect(totalBytes).toBeGreaterThan(50);
          const at = [
            0,
            1,
            totalBytes - 1,
            ...Array.from({ length: CUTS }, () => Math.floor(Math.random() * totalBytes)),
          ];
          for (const afterBytes of at) {
            line.cut = { direction, afterBytes };
            waits.length = 0;
            await call().catch((error: unknown) => {
              throw new Error(`${name} after ${afterBytes} of ${totalBytes} bytes`, { cause: error });
            });
            // Of what breaks at its last byte, all may have been understood.
            if (afterBytes < totalBytes - 10) expect(waits, `${name} ${afterBytes}`).toHaveLength(1);
            if (name === 'delete') await put(content);
          }
        }
      } finally {
        await line.close();
      }
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
      ['without an effect', () => ({ answer: { status: 200 } })],
      ['without an effect, with other content', () => place.answers.otherContent],
    ] as [string, () => Mishap][])('takes an answer that all is well %s for none', async (_, mishap) => {
      await direct().delete('new');
      failing(mishap(), 1);
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
      const store: ObjectStore = new RetryingStore(place.create({ endpoint: proxy.endpoint, prefix: 'at' }), {
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
      const store = new RetryingStore(place.create({ endpoint: proxy.endpoint, prefix: '' }), {
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
      proxy.rule = () => place.answers.forbidden;
      await expect(retrying().get('old')).rejects.toMatchObject({
        code: 'permission-denied',
        hint: expect.stringContaining(`Allow the credentials ${place.answers.permission} on `),
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
      await place.resticCheck('whole');
    });
  });
}

export async function errorOf(promise: Promise<unknown>): Promise<HoldfastError> {
  try {
    await promise;
  } catch (error) {
    if (isHoldfastError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}
