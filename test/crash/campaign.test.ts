import { describe, expect, it } from 'vitest';
import { requires } from '../support/requirements.ts';
import { runCampaign } from './campaign.ts';

describe.skipIf(!requires('restic'))('commands that are killed at random and at named instants', () => {
  // More by hand: npm run crash -- --kills 500
  it('leave what stock restic finds clean, and every acknowledged snapshot whole', { timeout: 180_000 }, async () => {
    const { kills, killed, finished, instants, restored } = await runCampaign(2);
    expect(kills).toBe(2);
    // Of the two the second is killed at a change, which it comes to unless it makes fewer than the time before.
    expect(killed.copy + finished.copy).toBe(1);
    if (killed.copy > 0)
      expect(Object.keys(instants)).toEqual([expect.stringMatching(/^(before|after) (put|delete) /)]);
    expect(restored).toBeGreaterThan(0);
  });
});
