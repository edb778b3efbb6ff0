import type { EventKind, LedgerEvent } from '../../src/ledger/index.ts';

/**
 * An event as a ledger has it, for what looks at events alone.
 * @param at RFC 3339, or milliseconds since 1970
 * @param body as much of it as the test is about
 */
export function ledgerEvent(
  kind: EventKind,
  at: string | number,
  body: object,
  more: Partial<Pick<LedgerEvent, 'actor' | 'writer' | 'sequence'>> = {},
): LedgerEvent {
  const place = { version: 1, writer: 'w', sequence: 0, previous: null, heads: {}, actor: 'ada@db1', ...more };
  return { ...place, kind, body, time: new Date(at).toISOString() } as unknown as LedgerEvent;
}
