import { describe, expect, it } from 'vitest';
import { behindWhatWasSeen, momentWithin } from './standby-start.ts';

const STANDBY = {
  seenLsn: 0x500n,
  moments: [
    { ms: 3000, lsn: 0x700n },
    { ms: 1000, lsn: 0n },
    { ms: 2000, lsn: 0x500n },
  ],
  warnings: [],
};

describe('a backup of a standby', () => {
  it('is of the newest moment whose position it comes to', () => {
    expect(momentWithin(STANDBY, 0x700n)).toBe(3000);
    expect(momentWithin(STANDBY, 0x6ffn)).toBe(2000);
    expect(momentWithin(STANDBY, 0x4ffn)).toBe(1000);
  });

  it('is held against what was seen only where that was replayed by its end', () => {
    expect(behindWhatWasSeen(STANDBY, 0x500n)).toBeUndefined();
    expect(behindWhatWasSeen(STANDBY, 0x4ffn)).toMatch(/ends at 0\/4FF, before/);
    expect(behindWhatWasSeen({ ...STANDBY, seenLsn: undefined }, 0x500n)).toBeDefined();
  });
});
