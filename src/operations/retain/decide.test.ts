import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredSnapshot } from '../../repository/index.ts';
import type { RetentionPolicy } from '../../schedule/index.ts';
import { decideRetention, type ProofOutcome } from './decide.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const DAY_MS = 24 * 3_600_000;

function snapshot(id: string, daysAgo: number, ...tags: string[]): StoredSnapshot {
  const time = new Date(NOW - daysAgo * DAY_MS).toISOString();
  return { id, time, tree: `tree-${id}`, paths: ['/db'], hostname: 'test', tags: ['holdfast', 'source:db', ...tags] };
}

function decide(snapshots: StoredSnapshot[], policy: RetentionPolicy | undefined, proofs: Record<string, string> = {}) {
  const proofOf = ((tree) => proofs[tree.slice('tree-'.length)]) as ProofOutcome;
  return decideRetention(snapshots, policy, { timezone: 'UTC', nowMs: NOW, proofOf });
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
