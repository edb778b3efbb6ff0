import { describe, expect, it } from 'vitest';
import type { LedgerEvent } from '../../ledger/index.ts';
import { Showings, showingsIn } from './showings.ts';

const MINUTE_MS = 60_000;

function event(kind: LedgerEvent['kind'], body: object): LedgerEvent {
  return { kind, body, time: '2026-03-01T00:00:00.000Z' } as unknown as LedgerEvent;
}

describe('what is shown of a rescue', () => {
  it('is how long it took, and not how long it may take', () => {
    const body = { kit: 'k', outcome: 'missed', sources: [], durationMs: 300 * MINUTE_MS, rtoMs: 240 * MINUTE_MS };
    const { last } = new Showings(showingsIn([event('rescue.finished', body)])).of('drill', 'rescue');
    expect(last).toMatchObject({ result: 'missed', durationMs: 300 * MINUTE_MS });
  });
});
