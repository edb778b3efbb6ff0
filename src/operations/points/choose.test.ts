import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHoldfastError } from '../../foundation/errors.ts';
import { type Candidate, choose } from './choose.ts';

const at = (time: string): number => Date.parse(`2026-03-01T${time}:00Z`);

function point(time: string, more: Partial<Candidate> = {}): Candidate {
  return { snapshot: time, timeMs: at(time), state: 'proven', isPartial: false, isSuspect: false, ...more };
}

const reasonOf = (work: () => { reason: string }): string => {
  try {
    return work().reason;
  } catch (error) {
    if (!isHoldfastError(error, 'unknown-snapshot')) throw error;
    return error.message;
  }
};

describe('the choice of a recovery point', () => {
  it('says which it is and what was passed over', () => {
    const points = [point('11:00'), point('13:00', { isSuspect: true }), point('14:30'), point('15:00')];
    const chosen = choose('db', points, { choose: 'latest-clean', beforeMs: at('14:03') }, at('13:00'));
    expect(chosen.point.snapshot).toBe('11:00');
    expect(chosen.reason).toBe(
      '2026-03-01T11:00:00Z: the newest proven and not suspect not after 2026-03-01T14:03:00Z; 3 newer were passed over: 2 after that moment, 1 suspect',
    );
  });

  it('takes nothing for clean that was taken after something suspect, proven or not', () => {
    const points = [point('10:00'), point('11:00', { isSuspect: true }), point('12:00')];
    const chosen = choose('db', points, { choose: 'latest-clean', beforeMs: at('14:00') }, at('11:00'));
    expect(chosen.point.snapshot).toBe('10:00');
    expect(choose('db', points, { choose: 'latest-proven' }, at('11:00')).point.snapshot).toBe('12:00');
  });

  it('says of the newest that it is not proven, and chooses it all the same', () => {
    const points = [point('10:00'), point('11:00', { state: undefined, isPartial: true })];
    expect(reasonOf(() => choose('db', points, { choose: 'latest' }, undefined))).toBe(
      '2026-03-01T11:00:00Z: the newest, and it is partial, it is not proven',
    );
  });

  it('says why there is none', () => {
    const points = [point('10:00', { state: 'failed' }), point('11:00', { state: undefined })];
    expect(reasonOf(() => choose('db', points, { choose: 'latest-proven' }, undefined))).toBe(
      'db has no recovery point that is proven: 1 not proven, 1 with a failed proof',
    );
    expect(reasonOf(() => choose('db', [], { choose: 'latest' }, undefined))).toBe('db has no recovery point');
  });

  it('is the newest of those that are as they are wanted', () => {
    const candidate = fc.record({
      timeMs: fc.integer({ min: 0, max: 20 }),
      state: fc.constantFrom('proven' as const, 'failed' as const, 'checked' as const, undefined),
      isPartial: fc.boolean(),
      isSuspect: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(candidate, { maxLength: 8 }),
        fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
        (made, beforeMs) => {
          const points = made
            .map((each, index) => ({ ...each, snapshot: String(index) }))
            .sort((a, b) => a.timeMs - b.timeMs);
          const suspectFromMs = points.find(({ isSuspect }) => isSuspect)?.timeMs;
          const clean = points.filter(
            ({ timeMs, state, isPartial }) =>
              state === 'proven' && !isPartial && timeMs <= (beforeMs ?? 20) && timeMs < (suspectFromMs ?? 21),
          );
          let found: string | undefined;
          try {
            found = choose('db', points, { choose: 'latest-clean', beforeMs }, suspectFromMs).point.snapshot;
          } catch (error) {
            if (!isHoldfastError(error, 'unknown-snapshot')) throw error;
          }
          expect(found).toBe(clean.at(-1)?.snapshot);
        },
      ),
    );
  });
});
