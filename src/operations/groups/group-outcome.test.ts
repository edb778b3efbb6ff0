import { describe, expect, it } from 'vitest';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { groupExit } from './group-outcome.ts';

const complete = { outcome: 'complete' } as const;
const failed = (code: 'target-not-empty' | 'wrong-password' | 'interrupted') =>
  ({ outcome: 'failed', error: new HoldfastError(code, code) }) as const;

describe('what a restore of a group ends with', () => {
  it.each([
    [[complete, complete], EXIT.done],
    [[complete, { outcome: 'partial' } as const], EXIT.partial],
    [[complete, failed('target-not-empty')], EXIT.partial],
    [[failed('target-not-empty'), failed('wrong-password')], EXIT.failed],
    [[failed('wrong-password'), failed('wrong-password')], EXIT.wrongPassword],
    [[complete, failed('interrupted')], EXIT.interrupted],
  ])('is told by all of its sources: %#', (members, exit) => {
    expect(groupExit({ members, skewMs: 5 })).toBe(exit);
  });

  it('is a missed objective where they are too far apart, and nothing worse happened', () => {
    expect(groupExit({ members: [complete], skewMs: 5, maxSkewMs: 4 })).toBe(EXIT.missed);
    expect(groupExit({ members: [complete], skewMs: 4, maxSkewMs: 4 })).toBe(EXIT.done);
    expect(groupExit({ members: [complete, failed('target-not-empty')], skewMs: 5, maxSkewMs: 4 })).toBe(EXIT.partial);
  });
});
