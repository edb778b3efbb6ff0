import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anomalyOf, type BackupSize, FEWEST_BEFORE } from './anomaly.ts';

const MB = 1e6;

/** Backups of one source on usual days: what is new varies by a factor of four, and compresses to 25 to 40 %. */
const usual = fc
  .record({
    processed: fc.integer({ min: 50, max: 100_000 }),
    days: fc.array(
      fc.record({
        share: fc.double({ min: 0.5, max: 2, noNaN: true }),
        ratio: fc.double({ min: 0.25, max: 0.4, noNaN: true }),
      }),
      {
        minLength: FEWEST_BEFORE,
        maxLength: 30,
      },
    ),
  })
  .map(({ processed, days }) =>
    days.map(({ share, ratio }): BackupSize => {
      const bytesAdded = processed * MB * 0.01 * share;
      return { bytesProcessed: processed * MB, bytesAdded, bytesStored: bytesAdded * ratio };
    }),
  );

describe('what a backup found', () => {
  it('is suspect where much is new and does not compress, as after everything was encrypted', () => {
    fc.assert(
      fc.property(usual, (before) => {
        const { bytesProcessed } = before[0]!;
        expect(
          anomalyOf({ bytesProcessed, bytesAdded: bytesProcessed, bytesStored: bytesProcessed }, before),
        ).toContain('new data');
      }),
    );
  });

  it('is suspect where no more is new than usual, and that does not compress any more', () => {
    fc.assert(
      fc.property(usual, (before) => {
        const { bytesProcessed, bytesAdded } = before[0]!;
        expect(anomalyOf({ bytesProcessed, bytesAdded, bytesStored: bytesAdded }, before)).toContain('takes 100 %');
      }),
    );
  });

  it('is suspect where most of it is gone', () => {
    fc.assert(
      fc.property(usual, fc.double({ min: 0, max: 0.2, noNaN: true }), (before, left) => {
        const { bytesProcessed } = before[0]!;
        expect(anomalyOf({ bytesProcessed: bytesProcessed * left, bytesAdded: 0, bytesStored: 0 }, before)).toContain(
          'in all',
        );
      }),
    );
  });

  it('is not suspect on any day that is like one before it, nor where nothing is new', () => {
    fc.assert(
      fc.property(usual, fc.nat(), (before, which) => {
        expect(anomalyOf(before[which % before.length]!, before)).toBeUndefined();
        const { bytesProcessed } = before[0]!;
        expect(anomalyOf({ bytesProcessed, bytesAdded: 0, bytesStored: 0 }, before)).toBeUndefined();
      }),
    );
  });

  it('is not suspect because of a day that was strange, nor of what comes every week', () => {
    const day = { bytesProcessed: 1000 * MB, bytesAdded: 10 * MB, bytesStored: 3 * MB };
    const load = { ...day, bytesAdded: 300 * MB, bytesStored: 90 * MB };
    const weeks = Array.from({ length: 21 }, (_, at) => (at % 7 === 6 ? load : day));
    expect(anomalyOf(load, weeks)).toBeUndefined();
    expect(anomalyOf({ ...load, bytesStored: 300 * MB }, weeks)).toContain('takes 100 %');
    expect(anomalyOf(load, weeks.slice(0, 6).concat(weeks.slice(7, 12)))).toContain('286 MiB');
  });

  it('says nothing where too few are known, or amounts are small', () => {
    const day = { bytesProcessed: 1000 * MB, bytesAdded: 10 * MB, bytesStored: 3 * MB };
    const attack = { bytesProcessed: 1000 * MB, bytesAdded: 1000 * MB, bytesStored: 1000 * MB };
    expect(anomalyOf(attack, Array(FEWEST_BEFORE - 1).fill(day))).toBeUndefined();
    expect(anomalyOf(attack, Array(FEWEST_BEFORE).fill(day))).toBeDefined();
    const little = { bytesProcessed: 5000, bytesAdded: 0, bytesStored: 0 };
    expect(
      anomalyOf({ bytesProcessed: 0, bytesAdded: 60_000, bytesStored: 60_000 }, Array(20).fill(little)),
    ).toBeUndefined();
  });
});
