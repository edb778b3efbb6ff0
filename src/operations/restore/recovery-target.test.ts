import { describe, expect, it } from 'vitest';
import { parseRecoveryTarget, targetSettings, targetText } from './recovery-target.ts';

describe('a target in time', () => {
  it.each([
    ['2026-01-31T14:03:06Z', '2026-01-31 14:03:06.000+00'],
    ['2026-01-31T14:03:06.954473Z', '2026-01-31 14:03:06.954473+00'],
    ['2026-01-31 15:03:06.000007+01:00', '2026-01-31 14:03:06.000007+00'],
    ['2026-01-31T14:03:06.9544739Z', '2026-01-31 14:03:06.954473+00'],
    ['1s ago', '2026-01-31 14:03:06.000+00'],
  ])('of %s is %s to the server, as exact as it was given', (at, expected) => {
    const target = parseRecoveryTarget(at, Date.UTC(2026, 0, 31, 14, 3, 7));
    expect(targetSettings(target)).toEqual({ recovery_target_time: expected, recovery_target_inclusive: 'on' });
    expect(targetText(target)).toBe(expected.replace(' ', 'T').replace('+00', 'Z'));
  });
});
