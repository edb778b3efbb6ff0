import { describe, expect, it } from 'vitest';
import { type HistoryPoint, lossesIn } from './losses.ts';

function point(
  hour: number,
  counts: Record<string, number> | undefined,
  outcome: HistoryPoint['outcome'] = 'complete',
) {
  const items = Object.entries(counts ?? {}).map(([item, count]) => ({ item, count, unit: 'rows' }));
  const time = `2026-01-31T0${hour}:00:00Z`;
  return { snapshot: `at-${hour}`, time, outcome, from: counts === undefined ? 'unknown' : 'snapshot', items } as const;
}

const told = (...points: HistoryPoint[]) =>
  lossesIn(points).map(
    ({ item, kind, before, after, returned }) =>
      `${item} ${kind} ${before.snapshot} ${before.count} ${after.snapshot} ${after.count} ${returned?.snapshot ?? ''}`,
  );

describe('what was lost from one recovery point to the next', () => {
  it('is what vanished, with the last that has it, and the first that has it again', () => {
    expect(told(point(1, { a: 5, b: 1 }), point(2, { a: 6, b: 1 }), point(3, { b: 1 }))).toEqual([
      'a vanished at-2 6 at-3 0 ',
    ]);
    expect(told(point(1, { a: 5 }), point(2, {}), point(3, {}), point(4, { a: 5 }))).toEqual([
      'a vanished at-1 5 at-2 0 at-4',
    ]);
  });

  it('is what became less by more than a fifth, each time', () => {
    expect(told(point(1, { a: 100 }), point(2, { a: 80 }), point(3, { a: 63 }), point(4, { a: 10 }))).toEqual([
      'a dropped at-2 80 at-3 63 ',
      'a dropped at-3 63 at-4 10 ',
    ]);
    expect(told(point(1, { a: 0 }), point(2, { a: 0 }))).toEqual([]);
  });

  it('is not what nobody counted, or a partial backup lacks', () => {
    expect(told(point(1, { a: 5 }), point(2, undefined), point(3, { a: 5 }))).toEqual([]);
    expect(told(point(1, { a: 5 }), point(2, {}, 'partial'), point(3, { a: 5 }))).toEqual([]);
    expect(told(point(1, { a: 5 }), point(2, {}, 'partial'), point(3, {}))).toEqual(['a vanished at-1 5 at-3 0 ']);
    expect(told(point(1, { a: 5 }), point(2, { a: 1 }, 'partial'), point(3, { a: 5 }))).toEqual([]);
    expect(told(point(1, { a: 5 }), point(2, { a: 1 }, 'partial'), point(3, { a: 1 }))).toEqual([
      'a dropped at-1 5 at-3 1 ',
    ]);
  });

  it('has not come back while it has as many, and fewer bytes', () => {
    const sized = (hour: number, bytes: number): HistoryPoint => {
      const known = point(hour, { a: 5 });
      return { ...known, items: known.items.map((each) => ({ ...each, bytes })) };
    };
    const emptied = [sized(1, 1000), sized(2, 1), sized(3, 1)];
    expect(told(...emptied)).toEqual(['a dropped at-1 5 at-2 5 ']);
    expect(told(...emptied, sized(4, 1000))).toEqual(['a dropped at-1 5 at-2 5 at-4']);
  });
});
