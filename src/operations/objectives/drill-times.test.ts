import { expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import type { EventKind, LedgerEvent } from '../../ledger/index.ts';
import { drillTimes } from './drill-times.ts';

const event = (kind: EventKind, day: number, body: object): LedgerEvent =>
  ledgerEvent(kind, Date.UTC(2026, 2, day), body);

it('are those of each runbook, and the newest that was measured is held against what is promised', () => {
  const events = [
    event('drill.started', 1, { drill: 'a', runbook: 'region' }),
    event('drill.finished', 1, { drill: 'a', outcome: 'done', rtoMs: 900 }),
    event('drill.started', 2, { drill: 'b', runbook: 'region' }),
    event('drill.started', 3, { drill: 'c', runbook: 'breach' }),
    event('drill.finished', 4, { drill: 'b', outcome: 'missed', rtoMs: 1100, rpoMs: 5 }),
    event('drill.finished', 5, { drill: 'c', outcome: 'died' }),
  ];
  const runbooks = ['region', 'breach', 'other'].map((name) => ({ name, objectives: { rtoMs: 1000 } }));
  const times = drillTimes(runbooks, events);
  expect(times).toMatchObject([
    { runbook: 'region', promisedMs: 1000, medianMs: 1000, maxMs: 1100, isMissed: true },
    { runbook: 'breach', drills: [{ drill: 'c', outcome: 'died' }], isMissed: false },
    { runbook: 'other', drills: [], isMissed: false },
  ]);
  expect(times[0]!.drills.map(({ drill, rpoMs }) => [drill, rpoMs])).toEqual([
    ['a', undefined],
    ['b', 5],
  ]);
  const [later] = drillTimes(runbooks, events, Date.UTC(2026, 2, 2));
  expect(later).toMatchObject({ drills: [{ drill: 'b' }], medianMs: 1100 });
});
