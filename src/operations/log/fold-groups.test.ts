import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LogRange, mergeRanges } from '../../repository/index.ts';
import { type FoldablePart, foldGroups, supersededParts } from './fold-groups.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.parse('2026-03-10T12:30:00Z');
const SEGMENT = 16n * 1024n * 1024n;

type Part = FoldablePart & { id: number };

/** One that ends so long ago. */
function part(from: number, to: number, agoMs: number, id = 0): Part {
  return {
    id,
    system: '7',
    timeline: 1,
    start: BigInt(from) * SEGMENT,
    end: BigInt(to) * SEGMENT,
    timeMs: NOW - agoMs,
  };
}

/** What is there when the groups became one each, and what they made superfluous is gone. */
function fold(parts: readonly Part[], nowMs = NOW): Part[] {
  const made = foldGroups(parts, nowMs).map(([first, ...others]): Part => {
    const last = others.at(-1)!;
    return { ...last, start: first!.start };
  });
  const all = [...parts, ...made];
  const superseded = supersededParts(all);
  return all.filter((each) => !superseded.has(each));
}

function stretchesOf(parts: readonly Part[]): LogRange[] {
  return mergeRanges(parts.map(({ timeline, start, end }) => ({ timeline, start, end })));
}

/** A log as a follower leaves it: of several minutes each, now and then with a gap, on several timelines. */
const log = fc
  .array(
    fc.record({ segments: fc.integer({ min: 1, max: 400 }), minutes: fc.nat(200), gap: fc.nat(20), next: fc.nat(30) }),
  )
  .map((steps) => {
    const parts: Part[] = [];
    let [at, timeline, agoMs] = [3n, 1, steps.reduce((sum, { minutes }) => sum + minutes, 0) * 60_000];
    for (const [id, { segments, minutes, gap, next }] of steps.entries()) {
      if (gap === 0) at += 5n;
      if (next === 0) timeline++;
      const start = at;
      at += BigInt(segments);
      agoMs -= minutes * 60_000;
      parts.push({ id, system: '7', timeline, start: start * SEGMENT, end: at * SEGMENT, timeMs: NOW - agoMs });
    }
    return parts;
  });

describe('what of a log in snapshots becomes one', () => {
  it('is what is older than an hour, by the hour, and what is older than a day, by the day', () => {
    const minutes = (count: number) => count * 60_000;
    const parts = [
      ...[0, 1, 2].map((index) => part(index, index + 1, 3 * DAY_MS - minutes(index * 300), index)),
      ...[3, 4].map((index) => part(index, index + 1, minutes(170 - index), index)),
      ...[5, 6].map((index) => part(index, index + 1, minutes(85 - index), index)),
      ...[7, 8].map((index) => part(index, index + 1, minutes(50 - index), index)),
    ];
    expect(foldGroups(parts, NOW).map((group) => group.map(({ id }) => id))).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  it('is nothing on both sides of a gap, of two timelines or two clusters', () => {
    const old = [part(1, 2, 3 * DAY_MS), part(3, 4, 3 * DAY_MS)];
    expect(foldGroups(old, NOW)).toEqual([]);
    const touching = [part(1, 2, 3 * DAY_MS), part(2, 3, 3 * DAY_MS)];
    expect(foldGroups(touching, NOW)).toHaveLength(1);
    for (const change of [{ timeline: 2 }, { system: '8' }]) {
      expect(foldGroups([touching[0]!, { ...touching[1]!, ...change }], NOW)).toEqual([]);
    }
  });

  it('has every byte and nothing else, with the moment that each stretch of it ends with', () => {
    const ends = (parts: readonly Part[]) =>
      stretchesOf(parts).map(({ timeline, end }) => {
        const last = parts.filter((each) => each.timeline === timeline && each.end === end);
        return Math.max(...last.map(({ timeMs }) => timeMs));
      });
    fc.assert(
      fc.property(log, fc.nat(3 * DAY_MS), (parts, laterMs) => {
        const once = fold(parts);
        const folded = fold(once, NOW + laterMs);
        for (const each of [once, folded]) {
          expect(stretchesOf(each)).toEqual(stretchesOf(parts));
          expect(ends(each)).toEqual(ends(parts));
        }
      }),
    );
  });

  it('is settled at once, leaves what is new alone, and is no more than one an hour and one a day for each stretch', () => {
    fc.assert(
      fc.property(log, (parts) => {
        const folded = fold(parts);
        expect(foldGroups(folded, NOW)).toEqual([]);
        const isNew = ({ timeMs }: Part) => NOW - timeMs < HOUR_MS;
        expect(folded.filter(isNew)).toEqual(expect.arrayContaining(parts.filter(isNew)));
        for (const stretch of stretchesOf(parts)) {
          const within = folded.filter(
            (each) => each.timeline === stretch.timeline && each.start >= stretch.start && each.end <= stretch.end,
          );
          const days = within.filter(({ timeMs }) => NOW - timeMs >= 2 * DAY_MS);
          const bytes = Number(stretch.end - stretch.start);
          const most = new Set(days.map(({ timeMs }) => Math.floor(timeMs / DAY_MS))).size;
          // A large one and the small one beside it are more than the largest together.
          expect(days.length).toBeLessThanOrEqual(most + (2 * bytes) / 2 ** 34);
        }
      }),
    );
  });

  it('is not more than a snapshot should have', () => {
    const large = [0, 1, 2].map((index) => part(index * 600, (index + 1) * 600, 3 * DAY_MS, index));
    expect(foldGroups(large, NOW)).toEqual([]);
    const small = Array.from({ length: 30 }, (_, index) => part(index * 100, (index + 1) * 100, 3 * DAY_MS, index));
    expect(foldGroups(small, NOW).map(({ length }) => length)).toEqual([10, 10, 10]);
  });
});

describe('what a larger part makes superfluous', () => {
  it('is what it has all of, and of two that are the same the second', () => {
    const [whole, first, second, twin, over] = [
      part(1, 9, 0),
      part(1, 3, 0),
      part(7, 9, 0),
      part(1, 9, 0),
      part(8, 10, 0),
    ];
    const superseded = supersededParts([whole, first, over, second, twin]);
    expect([...superseded.keys()]).toEqual([twin, first, second]);
    expect([...superseded.values()]).toEqual([whole, whole, whole]);
  });
});
