import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logWorkspace, segments, writeBase, writeTail } from '../../../test/support/log.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { pickSecond, recoverableStretches, type Stretch } from './random-moment.ts';

const at = (time: string) => Date.parse(`2026-01-31T${time}Z`);

describe('the moments that can be recovered', () => {
  it('are those behind each backup that its log covers, and none in a gap', async () => {
    const main = await testRepository();
    const workspace = logWorkspace({ main });
    const stretches = async () => {
      const found = await recoverableStretches(workspace, await workspace.open('main'), workspace.sources(['db'])[0]!);
      return found.map(({ fromMs, untilMs }) => [fromMs, untilMs]);
    };
    await writeBase(main, { end: 3.5, finishedAt: '2026-01-31T10:00:00Z' });
    expect(await stretches()).toEqual([]);
    await writeTail(main, segments(3, 4), { coveredUntil: '2026-01-31T11:00:00Z' });
    await writeTail(main, segments(4, 5), { coveredUntil: '2026-01-31T12:00:00Z' });
    await writeBase(main, { end: 4.5, finishedAt: '2026-01-31T11:30:00Z' });
    expect(await stretches()).toEqual([
      [at('11:30:00'), at('12:00:00')],
      [at('10:00:00'), at('11:30:00')],
    ]);
    await writeTail(main, segments(7, 8), { coveredUntil: '2026-01-31T14:00:00Z' });
    await writeBase(main, { end: 7.5, finishedAt: '2026-01-31T13:30:00Z' });
    expect(await stretches()).toEqual([
      [at('13:30:00'), at('14:00:00')],
      [at('11:30:00'), at('12:00:00')],
      [at('10:00:00'), at('11:30:00')],
    ]);
  });

  it('are picked by the second, each as likely as any other', () => {
    expect(pickSecond([], 0.5)).toBeUndefined();
    const two = [
      { fromMs: 60_000, untilMs: 61_000 },
      { fromMs: 10_500, untilMs: 19_500 },
    ];
    const picked = Array.from({ length: 1000 }, (_, index) => pickSecond(two, index / 1000)!);
    const countOf = (second: number) => picked.filter((each) => each === second * 1000).length;
    expect(countOf(60)).toBe(100);
    for (const second of [11, 12, 13, 14, 15, 16, 17, 18]) expect(countOf(second)).toBe(100);
    const stretch = fc
      .tuple(fc.nat(1e9), fc.integer({ min: 1, max: 1e7 }))
      .map(([fromMs, length]): Stretch => ({ fromMs, untilMs: fromMs + length }));
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(stretch, { minLength: 1 }), random, (stretches, number) => {
        const moment = pickSecond(stretches, number)!;
        expect(stretches.some(({ fromMs, untilMs }) => fromMs <= moment && moment <= untilMs)).toBe(true);
      }),
    );
  });
});
