import { describe, expect, it } from 'vitest';
import { testRepository } from '../../../test/support/repository.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Source } from '../../plan/index.ts';
import type { RetentionPolicy } from '../../schedule/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { repositoryCapacity, usedBytes } from './capacity.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const GB = 1e9;
const NOW = Date.parse('2026-03-31T00:00:00Z');
const CAPACITY = { ofBytes: 1000 * GB, warnAt: 0.8 };

function source(name: string, retention?: RetentionPolicy): Source {
  const rest = { repository: 'main', objectives: {}, validate: [], paths: ['/x'], exclude: [] };
  return { name, type: 'files', ...rest, ...(retention && { retention }) };
}

function stored(name: string, daysAgo: number, gigabytes: number, kind = 'backup.finished'): LedgerEvent {
  const time = new Date(NOW - daysAgo * DAY_MS).toISOString();
  return { kind, time, body: { source: name, bytesAdded: 9 * gigabytes * GB, bytesStored: gigabytes * GB } } as never;
}

function daily(name: string, days: number, first: number, each: number): LedgerEvent[] {
  return Array.from({ length: days + 1 }, (_, day) => stored(name, days - day, day === 0 ? first : each));
}

function capacityOf(used: number, sources: Source[], events: LedgerEvent[], capacity = CAPACITY) {
  return repositoryCapacity({ name: 'main', capacity }, { used: used * GB, sources, events, nowMs: NOW });
}

describe('the capacity of a repository', () => {
  it('warns from its share on, and not before', () => {
    expect(capacityOf(799.9, [], []).isReached).toBe(false);
    expect(capacityOf(800, [], []).isReached).toBe(true);
    expect(capacityOf(800, [], [], { ...CAPACITY, warnAt: 0.81 }).isReached).toBe(false);
  });

  it('says what each source takes, how it grows, and when all is taken', () => {
    const events = [...daily('db', 10, 100, 3), ...daily('files', 10, 260, 1)].sort((a, b) =>
      a.time < b.time ? -1 : 1,
    );
    const status = capacityOf(400, [source('db'), source('files')], events);
    expect(status.sources).toEqual([
      { source: 'db', usedBytes: 130 * GB, growthPerDayBytes: 3 * GB },
      { source: 'files', usedBytes: 270 * GB, growthPerDayBytes: 1 * GB },
    ]);
    expect(status.growthPerDayBytes).toBe(4 * GB);
    expect(status.fullAt).toBe(new Date(NOW + 150 * DAY_MS).toISOString());
    expect(status.atEndOfRetentionBytes).toBeUndefined();
  });

  it.each<[string, RetentionPolicy, number | undefined]>([
    ['days', { daily: 30 }, 130 + 20 * 3],
    ['a time', { within: { months: 0, ms: 14 * DAY_MS } }, 130 + 4 * 3],
    ['the longest of several', { daily: 7, weekly: 4, monthly: 2 }, 130 + (62 - 10) * 3],
    ['less than there is', { daily: 5 }, 130],
    ['something for good', { daily: 5, yearly: 'forever' }, undefined],
  ])('says what it takes at most at the end of a retention that keeps %s', (_, retention, gigabytes) => {
    const { sources, atEndOfRetentionBytes } = capacityOf(130, [source('db', retention)], daily('db', 10, 100, 3));
    expect(sources[0]!.atEndOfRetentionBytes).toBe(gigabytes && gigabytes * GB);
    expect(atEndOfRetentionBytes).toBe(gigabytes && gigabytes * GB);
  });

  it('counts a log that is folded, and only the last 30 days', () => {
    const events = [...daily('db', 100, 100, 50).slice(0, 60), stored('db', 10, 6, 'log.folded'), stored('db', 2, 9)];
    expect(capacityOf(900, [source('db')], events).growthPerDayBytes).toBe(0.5 * GB);
  });

  it('tells no growth of less than a day, and not the first backup as one', () => {
    expect(capacityOf(1, [source('db')], [stored('db', 0.9, 100)]).growthPerDayBytes).toBeUndefined();
    expect(capacityOf(1, [source('db')], [stored('db', 2, 100)])).toMatchObject({ growthPerDayBytes: 0 });
    expect(capacityOf(1, [source('db')], [stored('db', 2, 100)]).fullAt).toBeUndefined();
  });

  it('is what lies in the store, all of it', async () => {
    const store = new MemoryStore();
    await testRepository(store);
    await store.put('holdfast/damaged/x', Buffer.alloc(12_345));
    const sizes = [...store.objects.values()].map(({ bytes }) => bytes.byteLength);
    expect(await usedBytes(store)).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });
});
