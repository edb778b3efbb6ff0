import { describe, expect, it } from 'vitest';
import { movableClock } from '../../../test/support/repository.ts';
import { CaptureTimes } from './capture-times.ts';

const HOUR_MS = 3_600_000;

function timesOf(rpoMs?: number) {
  const clock = movableClock();
  const times = new CaptureTimes(clock, { everyMs: 5000, scanEveryMs: HOUR_MS, rpoMs });
  const capture = (tookMs: number, wasScan: boolean): void => {
    times.begins();
    clock.advance(tookMs);
    times.captured(wasScan);
  };
  return { clock, times, capture };
}

describe('when what is watched is captured', () => {
  it('is at once when it begins, which looks at everything', () => {
    const { times } = timesOf();
    expect(times.waitMs(false)).toBe(0);
    expect(times.isScanDue(false)).toBe(true);
  });

  it('is soon after a change, as soon as nothing more changes, and at the latest with time left for it', () => {
    const { clock, times, capture } = timesOf();
    capture(100, true);
    expect(times.waitMs(false)).toBe(HOUR_MS - 100);
    times.changed();
    expect(times.waitMs(false)).toBe(750);
    clock.advance(700);
    times.changed();
    expect(times.waitMs(false)).toBe(750);
    for (let changes = 0; changes < 4; changes++) {
      clock.advance(700);
      times.changed();
    }
    // Since the first of them 3.5 s have passed.
    expect(times.waitMs(false)).toBe(0);
    expect(times.isScanDue(false)).toBe(false);
  });

  it('leaves what changes while it captures to the next one', () => {
    const { clock, times, capture } = timesOf();
    capture(0, true);
    times.changed();
    times.begins();
    clock.advance(1000);
    times.changed();
    times.captured(false);
    expect(times.waitMs(false)).toBe(750);
  });

  it('looks at everything every so often, and sooner where not everything is watched, but not all the time', () => {
    const { clock, times, capture } = timesOf();
    capture(10_000, true);
    expect([times.waitMs(false), times.waitMs(true)]).toEqual([HOUR_MS - 10_000, 90_000]);
    clock.advance(90_000);
    expect([times.isScanDue(false), times.isScanDue(true)]).toEqual([false, true]);
    capture(1000, true);
    expect(times.waitMs(true)).toBe(59_000);
  });

  it('says within half the objective that nothing changed', () => {
    const { clock, times, capture } = timesOf(600_000);
    capture(0, true);
    expect(times.waitMs(false)).toBe(300_000);
    clock.advance(300_000);
    expect(times.waitMs(false)).toBe(0);
    expect(times.isScanDue(false)).toBe(false);
  });

  it('waits longer after each failure, whatever changes meanwhile', () => {
    const { clock, times, capture } = timesOf();
    capture(0, true);
    const waits = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      times.changed();
      times.failed();
      waits.push(times.waitMs(false));
      clock.advance(waits.at(-1)!);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    times.changed();
    capture(0, false);
    expect(times.waitMs(false)).toBeGreaterThan(60_000);
  });
});
