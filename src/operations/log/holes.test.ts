import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCovered, type LogRange } from '../../repository/index.ts';
import { findHoles } from './holes.ts';

const range = (timeline: number, start: number, end: number): LogRange => ({
  timeline,
  start: BigInt(start),
  end: BigInt(end),
});

describe('the holes of a log', () => {
  it('are what lies between its parts, in which no gap was recorded', () => {
    const stored = [range(1, 10, 20), range(1, 30, 40), range(1, 35, 50)];
    expect(findHoles(stored, [], undefined)).toEqual([range(1, 20, 30)]);
    expect(findHoles(stored, [range(1, 20, 30)], undefined)).toEqual([]);
    expect(findHoles(stored, [range(1, 22, 25), range(3, 25, 30)], undefined)).toEqual([
      range(1, 20, 22),
      range(1, 25, 30),
    ]);
  });

  it('are also at its end, where it is known to have gone on', () => {
    const stored = [range(1, 10, 20)];
    expect(findHoles(stored, [], { timeline: 1, lsn: 20n })).toEqual([]);
    expect(findHoles(stored, [], { timeline: 1, lsn: 15n })).toEqual([]);
    expect(findHoles(stored, [], { timeline: 1, lsn: 25n })).toEqual([range(1, 20, 25)]);
    expect(findHoles([], [], { timeline: 1, lsn: 25n })).toEqual([]);
  });

  it('are not where a timeline was left for another one that has the same', () => {
    expect(findHoles([range(1, 10, 25), range(2, 20, 40)], [], undefined)).toEqual([]);
    expect(findHoles([range(1, 10, 15), range(2, 20, 40)], [], undefined)).toEqual([range(1, 15, 20)]);
    expect(findHoles([range(1, 10, 15), range(2, 20, 40)], [range(2, 15, 20)], undefined)).toEqual([]);
  });

  it('are all that is missing of a timeline, and nothing that is there', () => {
    const part = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 10 })).map(([at, size]) => range(1, at, at + size));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), fc.array(part), (stored, known) => {
        const holes = findHoles(stored, known, undefined);
        const [first, last] = [
          Math.min(...stored.map(({ start }) => Number(start))),
          stored.map(({ end }) => Number(end)),
        ];
        for (let at = first; at < Math.max(...last); at++) {
          const byte = range(1, at, at + 1);
          const isExplained = isCovered(byte, stored) || isCovered(byte, known);
          expect(isCovered(byte, holes)).toBe(!isExplained);
        }
      }),
    );
  });
});
