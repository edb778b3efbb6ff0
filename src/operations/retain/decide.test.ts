import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredSnapshot } from '../../repository/index.ts';
import type { RetentionPolicy } from '../../schedule/index.ts';
import { decideRetention, type ProofOutcome } from './decide.ts';
import type { LogStart } from './needed-log.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const DAY_MS = 24 * 3_600_000;

function snapshot(id: string, daysAgo: number, ...tags: string[]): StoredSnapshot {
  const time = new Date(NOW - daysAgo * DAY_MS).toISOString();
  return { id, time, tree: `tree-${id}`, paths: ['/db'], hostname: 'test', tags: ['holdfast', 'source:db', ...tags] };
}

function decide(snapshots: StoredSnapshot[], policy: RetentionPolicy | undefined, proofs: Record<string, string> = {}) {
  const proofOf = ((tree) => proofs[tree.slice('tree-'.length)]) as ProofOutcome;
  const startOf = ({ tags }: StoredSnapshot): LogStart | undefined => {
    const [, system, timeline, lsn] = tags?.map((tag) => /^at:(\d+):(\d+):(\d+)$/.exec(tag)).find(Boolean) ?? [];
    return system === undefined ? undefined : { system, timeline: Number(timeline), lsn: BigInt(lsn!) };
  };
  return decideRetention(snapshots, policy, { timezone: 'UTC', nowMs: NOW, proofOf, startOf });
}

/** A base backup that begins at a position, and a snapshot of the log; of the cluster 7 and timeline 1. */
function base(id: string, daysAgo: number, lsn: number, { system = '7', timeline = 1 } = {}): StoredSnapshot {
  return snapshot(id, daysAgo, 'kind:base', `at:${system}:${timeline}:${lsn}`);
}

function log(id: string, daysAgo: number, [start, end]: [number, number], { system = '7', timeline = 1 } = {}) {
  const digits = (value: number, length: number) => value.toString(16).toUpperCase().padStart(length, '0');
  const range = `${digits(start, 16)}-${digits(end, 16)}`;
  return snapshot(id, daysAgo, 'kind:wal', `wal:${system}:${digits(timeline, 8)}:${range}`);
}

/** The rules that keep each snapshot that stays, by id. */
function keeping(...parameters: Parameters<typeof decide>): Record<string, string[]> {
  const staying = decide(...parameters).filter(({ reasons }) => reasons.length > 0);
  return Object.fromEntries(staying.map((each) => [each.snapshot.id, each.reasons.map(({ rule }) => rule)]));
}

describe('what becomes of the snapshots of a source', () => {
  it('is that all stay where the plan has no retention', () => {
    const kept = keeping([snapshot('a', 2), snapshot('b', 1, 'partial')], undefined);
    expect(kept).toEqual({ a: ['no-retention'], b: ['no-retention'] });
  });

  it('is told newest first, with nothing of it lost', () => {
    const decided = decide([snapshot('a', 3), snapshot('b', 2), snapshot('c', 1)], { last: 1 });
    expect(decided.map((each) => each.snapshot.id)).toEqual(['c', 'b', 'a']);
  });

  it('is that the newest proven one stays, however old', () => {
    const snapshots = [snapshot('a', 90), snapshot('b', 60), snapshot('c', 1)];
    expect(keeping(snapshots, { last: 1 }, { a: 'proven', b: 'proven' })).toEqual({
      b: ['newest-proven'],
      c: ['last', 'newest-complete'],
    });
    expect(keeping(snapshots, { last: 1 }, { a: 'not-provable' })).toEqual({ c: ['last', 'newest-complete'] });
  });

  it('is that the one stays that the newest proven moment of its log goes on from', () => {
    const snapshots = [snapshot('a', 90), snapshot('b', 60), snapshot('c', 1)];
    const knowledge = { timezone: 'UTC', nowMs: NOW, proofOf: () => undefined, startOf: () => undefined };
    const kept = (provenMomentTree: string | undefined) =>
      decideRetention(snapshots, { last: 1 }, { ...knowledge, provenMomentTree })
        .filter(({ reasons }) => reasons.some(({ rule }) => rule === 'newest-proven'))
        .map((each) => each.snapshot.id);
    expect([kept('tree-a'), kept('tree-gone'), kept(undefined)]).toEqual([['a'], [], []]);
  });

  it('is that what somebody holds stays, of a log too, and what there is to go back to while a later one is suspected', () => {
    const snapshots = [snapshot('a', 90), log('l', 80, [0, 100]), snapshot('b', 60), snapshot('c', 1)];
    const knowledge = { timezone: 'UTC', nowMs: NOW, proofOf: () => undefined, startOf: () => undefined };
    const heldWhy = (tree: string) => (tree === 'tree-a' || tree === 'tree-l' ? 'evidence' : undefined);
    const decided = decideRetention(snapshots, { last: 1 }, { ...knowledge, heldWhy, cleanTree: 'tree-b' });
    const reasons = Object.fromEntries(decided.map((each) => [each.snapshot.id, each.reasons]));
    expect(reasons).toMatchObject({
      a: [{ rule: 'held', why: 'evidence' }],
      l: expect.arrayContaining([{ rule: 'held', why: 'evidence' }]),
      b: [{ rule: 'latest-clean' }],
    });
  });

  it('is that the newest complete one stays, which did not fail its proof if there is one', () => {
    const snapshots = [snapshot('a', 3), snapshot('b', 2), snapshot('c', 1)];
    expect(keeping(snapshots, { last: 1 }, { b: 'failed', c: 'failed' })).toEqual({
      a: ['newest-complete'],
      c: ['last'],
    });
    expect(keeping(snapshots, { last: 1 }, { a: 'failed', b: 'failed', c: 'failed' })).toEqual({
      c: ['last', 'newest-complete'],
    });
  });

  it('is that a partial one takes no place of a complete one', () => {
    const snapshots = [
      snapshot('a', 4),
      snapshot('b', 3),
      snapshot('c', 2, 'partial'),
      snapshot('d', 1, 'partial'),
      snapshot('e', 0.5, 'partial'),
    ];
    expect(Object.keys(keeping(snapshots, { last: 2 })).sort()).toEqual(['a', 'b', 'd', 'e']);
    // The partial ones of a month ago do not move the window in which complete ones stay.
    const late = [snapshot('a', 60), snapshot('b', 1, 'partial')];
    expect(Object.keys(keeping(late, { within: { months: 0, ms: 7 * DAY_MS } })).sort()).toEqual(['a', 'b']);
  });

  it('is that the log stays from where the oldest backup that stays begins', () => {
    const snapshots = [
      ...[base('a', 9, 100), log('la', 8, [90, 200]), base('b', 7, 210), log('lb', 6, [200, 300])],
      ...[log('lc', 5, [300, 390]), base('c', 4, 400), log('ld', 3, [390, 420])],
    ];
    expect(Object.keys(keeping(snapshots, { last: 1 })).sort()).toEqual(['c', 'ld']);
    expect(Object.keys(keeping(snapshots, { last: 2 })).sort()).toEqual(['b', 'c', 'lb', 'lc', 'ld']);
    expect(keeping(snapshots, { last: 1 })['ld']).toEqual(['log']);
    // Where one begins is not known, or there is none, or the plan keeps everything.
    const unknown = snapshots.map((each) => (each.id === 'c' ? snapshot('c', 4, 'kind:base') : each));
    for (const [all, policy] of [
      [unknown, { last: 1 }],
      [snapshots, undefined],
    ] as const) {
      expect(Object.keys(keeping(all, policy))).toEqual(expect.arrayContaining(['la', 'lb', 'lc', 'ld']));
    }
    const logs = snapshots.filter(({ tags }) => tags?.includes('kind:wal'));
    expect(Object.keys(keeping(logs, { last: 1 }))).toHaveLength(logs.length);
  });

  it('is that the log of another timeline or cluster stays where a backup leads to it', () => {
    const snapshots = [
      ...[log('old', 9, [0, 900], { system: '6' }), base('a', 8, 100), log('la', 7, [90, 200])],
      // The old primary went on for a while after another one had been promoted.
      ...[log('lost', 6, [200, 700]), log('lb', 6, [200, 300], { timeline: 2 })],
      ...[base('b', 5, 310, { timeline: 2 }), log('lc', 4, [300, 400], { timeline: 2 })],
      log('new', 3, [0, 50], { system: '8' }),
    ];
    expect(Object.keys(keeping(snapshots, { last: 2 })).sort()).toEqual(['a', 'b', 'la', 'lb', 'lc', 'lost', 'new']);
    expect(Object.keys(keeping(snapshots, { last: 1 })).sort()).toEqual(['b', 'lc', 'new']);
  });

  it('is that every moment within a time can be had: the backup before it stays, with the log from there', () => {
    const within: RetentionPolicy = { within: { months: 0, ms: 5 * DAY_MS } };
    const snapshots = [
      ...[base('a', 12, 100), log('la', 11, [100, 200]), base('b', 8, 200), log('lb', 7, [200, 300])],
      ...[snapshot('p', 7, 'kind:base', 'partial', 'at:7:1:290'), base('c', 3, 310), log('lc', 2, [300, 400])],
      base('d', 1, 410),
    ];
    const kept = keeping(snapshots, within);
    expect(Object.keys(kept).sort()).toEqual(['b', 'c', 'd', 'lb', 'lc']);
    expect(kept['b']).toEqual(['log-begin']);
    expect(keeping(snapshots, within, { b: 'failed' })['a']).toEqual(['log-begin']);
    // Without a log there is nothing between two backups.
    const alone = snapshots.filter(({ tags }) => !tags?.includes('kind:wal'));
    expect(Object.keys(keeping(alone, within)).sort()).toEqual(['c', 'd']);
  });

  it('is the same for those that are left when a removal was not finished', () => {
    const histories = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.boolean(), fc.boolean()), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(
        histories,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        (history, daily, yearly) => {
          const all = history
            .toSorted(([a], [b]) => b - a)
            .map(([days, isPartial], index) => snapshot(`${index}`, days, ...(isPartial ? ['partial'] : [])));
          const policy = { daily, yearly };
          const staying = Object.keys(keeping(all, policy));
          const left = all.filter(({ id }, index) => staying.includes(id) || history[index]![2]);
          expect(Object.keys(keeping(left, policy)).sort()).toEqual(staying.sort());
        },
      ),
    );
  });
});
