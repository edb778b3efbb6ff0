import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lossInWords, possibleLoss } from './possible-loss.ts';

describe('what a promotion would lose', () => {
  it('is nothing where the standby has all that a fenced primary had, however long ago that was', () => {
    const loss = possibleLoss({ lsn: 100n, replayedMs: 1 }, [{ lsn: 100n, isFinal: true }], 1e9);
    expect(loss).toEqual({ bytes: 0n, ms: 0, isExact: true });
    expect(lossInWords(loss)).toBe('nothing');
  });

  it('is not known to be nothing where the primary may have gone on', () => {
    const loss = possibleLoss({ lsn: 100n, replayedMs: 40_000 }, [{ lsn: 100n, isFinal: false }], 100_000);
    expect(loss).toEqual({ bytes: 0n, ms: 60_000, isExact: false });
    expect(lossInWords(loss)).toBe('at most 1 min of commits');
    expect(lossInWords(possibleLoss({ lsn: 0n }, [], 1))).toBe('an unknown time of commits');
  });

  it('counts a moment up to which all is in the repository only where the standby has come as far', () => {
    const stored = { lsn: 200n, ms: 90_000, isFinal: false };
    expect(possibleLoss({ lsn: 200n }, [stored], 100_000)).toMatchObject({ bytes: 0n, ms: 10_000 });
    const behind = possibleLoss({ lsn: 199n }, [stored], 100_000);
    expect(behind).toEqual({ bytes: 1n, isExact: false });
    expect(lossInWords(behind)).toBe('an unknown time of commits, at least 1 B of the log');
    expect(possibleLoss({ lsn: 199n, replayedMs: 40_000 }, [stored], 100_000)).toMatchObject({ ms: 60_000 });
  });

  it('bounds what was written between the last moment that the standby has and now', () => {
    const writes = fc.array(
      fc.record({ lsn: fc.bigInt({ min: 1n, max: 1000n }), ms: fc.integer({ min: 0, max: 1000 }) }),
    );
    fc.assert(
      fc.property(writes, fc.bigInt({ min: 0n, max: 1000n }), fc.boolean(), (unordered, has, isFinal) => {
        const log = unordered.map(({ lsn }) => lsn).sort((a, b) => (a < b ? -1 : 1));
        const times = unordered.map(({ ms }) => ms).sort((a, b) => a - b);
        const commits = log.map((lsn, index) => ({ lsn, ms: times[index]! }));
        const replayedMs = commits.findLast(({ lsn }) => lsn <= has)?.ms;
        const end = log.at(-1) ?? 0n;
        const standby = { lsn: has, ...(replayedMs !== undefined && { replayedMs }) };
        const loss = possibleLoss(standby, [{ lsn: end, isFinal }], 1000);
        const lost = commits.filter(({ lsn }) => lsn > has);
        if (lost.length > 0) expect(loss.bytes).toBe(end - has);
        if (loss.ms !== undefined) for (const { ms } of lost) expect(1000 - ms).toBeLessThanOrEqual(loss.ms);
      }),
    );
  });
});
