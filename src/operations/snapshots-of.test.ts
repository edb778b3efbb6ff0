import { describe, expect, it } from 'vitest';
import { snapshotOf, testRepository } from '../../test/support/repository.ts';
import { SNAPSHOTS_PREFIX } from '../repository/layout.ts';
import { saveSnapshot } from '../repository/snapshots.ts';
import type { ObjectStore } from '../store/index.ts';
import { MemoryStore } from '../store/memory/index.ts';
import {
  PART_TAG,
  parentsOf,
  parseMoment,
  snapshotsBySource,
  snapshotsOf,
  sourceTag,
  WAL_TAG,
} from './snapshots-of.ts';

const PLAN = 'plan';
const TREE = 'ab'.repeat(32);

/** A repository of snapshots of these sources, stored in this order, and how many of them are read. */
async function repositoryOf(sources: string[]) {
  const store = new MemoryStore();
  const repository = await testRepository(store);
  const ids: string[] = [];
  for (const [index, source] of sources.entries()) {
    const time = new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString();
    const id = await saveSnapshot(repository, { ...snapshotOf(TREE), time, hostname: PLAN, tags: [sourceTag(source)] });
    store.objects.get(`${SNAPSHOTS_PREFIX}${id}`)!.modifiedMs = index;
    ids.push(id);
  }
  const read: string[] = [];
  const get = store.get.bind(store);
  store.get = async (key, range) => {
    read.push(key);
    return get(key, range);
  };
  return { repository, store, ids, read };
}

describe('what the next backups build on', () => {
  it('is the snapshot of each source that was stored last', async () => {
    const { repository, ids } = await repositoryOf(['b', 'a', 'c', 'a', 'other', 'other']);
    const { bySource, damaged } = await parentsOf(repository, PLAN, ['a', 'b', 'never']);
    expect(Object.fromEntries([...bySource].map(([source, { id }]) => [source, id]))).toEqual({ a: ids[3], b: ids[0] });
    expect(damaged).toEqual([]);
    expect((await parentsOf(repository, 'another plan', ['a'])).bySource.size).toBe(0);
  });

  it('is found without reading all that there are', async () => {
    const { repository, read } = await repositoryOf(Array.from({ length: 50 }, () => 'a'));
    expect((await parentsOf(repository, PLAN, ['a'])).bySource.size).toBe(1);
    expect(read.length).toBeLessThan(10);
  });

  it('is found again by what is new alone, where names are had for less than a listing', async () => {
    const { repository, store, ids, read } = await repositoryOf(Array.from({ length: 50 }, () => 'a'));
    const asked: string[] = [];
    const named: ObjectStore = store;
    named.names = async (prefix) => [...store.objects.keys()].filter((key) => key.startsWith(prefix));
    const [list, stat] = [store.list.bind(store), store.stat.bind(store)];
    store.list = (prefix) => {
      asked.push('list');
      return list(prefix);
    };
    store.stat = (key) => {
      asked.push(key);
      return stat(key);
    };
    const newest = async () => (await parentsOf(repository, PLAN, ['a'])).bySource.get('a')?.id;
    expect(await newest()).toBe(ids.at(-1));
    expect(await newest()).toBe(ids.at(-1));
    expect(asked).toEqual(['list']);
    const snapshot = { ...snapshotOf(TREE), hostname: PLAN, tags: [sourceTag('a')], paths: ['/new'] };
    const added = await saveSnapshot(repository, snapshot);
    store.objects.get(`${SNAPSHOTS_PREFIX}${added}`)!.modifiedMs = 50;
    read.length = 0;
    expect(await newest()).toBe(added);
    expect(asked.slice(1)).toEqual([`${SNAPSHOTS_PREFIX}${added}`]);
    expect(read).toEqual([`${SNAPSHOTS_PREFIX}${added}`]);
    store.objects.delete(`${SNAPSHOTS_PREFIX}${added}`);
    expect(await newest()).toBe(ids.at(-1));
  });

  it('is an older one where the last cannot be read, which is said', async () => {
    const { repository, store, ids } = await repositoryOf(['a', 'a', 'a']);
    store.objects.get(`${SNAPSHOTS_PREFIX}${ids[2]!}`)!.bytes[40]! ^= 1;
    const { bySource, damaged } = await parentsOf(repository, PLAN, ['a']);
    expect(bySource.get('a')?.id).toBe(ids[1]);
    expect(damaged).toMatchObject([{ code: 'repository-damaged', message: expect.stringContaining(ids[2]!) }]);
  });

  it('is not guessed where the store cannot be read', async () => {
    const { repository, store } = await repositoryOf(['a']);
    store.get = () => Promise.reject(new Error('the store is gone'));
    await expect(parentsOf(repository, PLAN, ['a'])).rejects.toThrow('the store is gone');
  });
});

describe('a moment', () => {
  const now = Date.parse('2026-03-31T12:00:00.000Z');
  it.each([
    ['2h ago', '2026-03-31T10:00:00.000Z'],
    ['30m ago', '2026-03-31T11:30:00.000Z'],
    ['2mo ago', '2026-01-31T12:00:00.000Z'],
    ['1y1d ago', '2025-03-30T12:00:00.000Z'],
    ['2026-01-31T14:03:06Z', '2026-01-31T14:03:06.000Z'],
    ['2026-01-31 14:03:06+02:00', '2026-01-31T12:03:06.000Z'],
  ])('is %s, months and years by the calendar', (text, time) => {
    expect(new Date(parseMoment(text, now)!).toISOString()).toBe(time);
  });

  it('is none where it is the latest, and refused where it is no time', () => {
    for (const text of ['2026-10-25', '2026-10-25 02:30', '2026-10-25T02:30:00']) {
      expect(() => parseMoment(text, now)).toThrow(
        expect.objectContaining({
          message: expect.stringContaining('does not say in which time zone'),
          hint: expect.stringMatching(/^Write 2026-10-25T0[02]:[03]0:00Z for UTC/),
        }),
      );
    }
    expect(parseMoment('latest', now)).toBeUndefined();
    for (const text of ['soon', '1h', '5 ago', ' ago']) {
      expect(() => parseMoment(text, now)).toThrow(expect.objectContaining({ code: 'bad-usage' }));
    }
  });
});

describe('the recovery points of all sources', () => {
  it('are those of each by itself: of this plan, without its log and without parts of a source', () => {
    const snapshots = [
      ['a', PLAN],
      ['b', PLAN],
      ['a', 'another plan'],
      ['a', PLAN, WAL_TAG],
      ['a', PLAN, PART_TAG],
      ['a', PLAN],
    ].map(([source, hostname, ...tags], index) => {
      return { ...snapshotOf(TREE), id: String(index), hostname: hostname!, tags: [...tags, sourceTag(source!)] };
    });
    const bySource = snapshotsBySource(snapshots, PLAN);
    for (const source of ['a', 'b']) expect(bySource.get(source)).toEqual(snapshotsOf(snapshots, PLAN, source));
    expect([...bySource].map(([source, own]) => [source, own.map(({ id }) => id)])).toEqual([
      ['a', ['0', '5']],
      ['b', ['1']],
    ]);
  });
});
