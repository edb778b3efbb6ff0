import { describe, expect, it } from 'vitest';
import { requires } from '../support/requirements.ts';
import { runCampaign } from './campaign.ts';

describe.skipIf(!requires('restic'))('commands that are killed at random instants', () => {
  // More by hand: npm run crash -- --kills 500
  it('leave what stock restic finds clean, and every acknowledged snapshot whole', { timeout: 180_000 }, async () => {
    const { kills, restored } = await runCampaign(2);
    expect(kills).toBe(2);
    expect(restored).toBeGreaterThan(0);
  });
});
