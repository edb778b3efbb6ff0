import { expect, it } from 'vitest';
import type { LedgerEvent } from '../../ledger/index.ts';
import { countsSummary, ledgerFigures } from './ledger-figures.ts';

it('counts no alert as open whose end lies in the ledger of another repository, and each by how severe it became', () => {
  const event = (kind: LedgerEvent['kind'], body: object) => ({ kind, body }) as LedgerEvent;
  const over = [event('alert.resolved', { alert: 'a' })];
  const raised = [
    event('alert.raised', { alert: 'a', severity: 'p2' }),
    event('alert.raised', { alert: 'b', severity: 'p2' }),
    event('alert.updated', { alert: 'b', severity: 'p1', message: 'worse' }),
  ];
  for (const ledgers of [
    [over, raised],
    [raised, over],
  ]) {
    expect([...ledgerFigures(ledgers.map(countsOf)).openAlerts]).toEqual([['p1', 1]]);
  }
});

function countsOf(events: readonly LedgerEvent[]) {
  const counts = countsSummary.initial();
  for (const each of events) countsSummary.add(counts, each);
  return counts;
}
