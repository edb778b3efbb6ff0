import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import { Showings, showingsIn } from './showings.ts';

const MINUTE_MS = 60_000;

describe('what is shown of a rescue', () => {
  it('is how long it took, and not how long it may take', () => {
    const body = { kit: 'k', outcome: 'missed', sources: [], durationMs: 300 * MINUTE_MS, rtoMs: 240 * MINUTE_MS };
    const { last } = new Showings(showingsIn([ledgerEvent('rescue.finished', '2026-03-01T00:00:00Z', body)])).of(
      'drill',
      'rescue',
    );
    expect(last).toMatchObject({ result: 'missed', durationMs: 300 * MINUTE_MS });
  });
});
