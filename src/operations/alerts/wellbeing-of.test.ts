import { describe, expect, it } from 'vitest';
import type { AlertEvents } from '../../ledger/index.ts';
import { AlertBook, type AlertEvent, type AlertEventKind } from './book.ts';
import { wellbeingOf } from './wellbeing-of.ts';

const NOW_MS = Date.parse('2026-05-04T12:00:00Z');

function event<Kind extends AlertEventKind>(kind: Kind, body: AlertEvents[Kind]): AlertEvent {
  return { kind, body, time: '2026-05-04T11:00:00Z', actor: 'ann@here' } as AlertEvent;
}

const raised = event('alert.raised', {
  ...{ alert: 'a1', rule: 'rpo-breach', subject: 'db', severity: 'p1', message: 'm' },
  ...{ since: '2026-05-04T10:00:00Z', endangers: 'e', command: 'c' },
});
const told = (channel: string, outcome: 'delivered' | 'failed'): AlertEvent =>
  event('alert.notified', { alerts: ['a1'], news: 'raised', channel, reason: 'route', outcome, attempts: 1 });

describe('what a watch outside is concerned with', () => {
  const of = (...events: AlertEvent[]) => wellbeingOf(AlertBook.of([raised, ...events]), NOW_MS).open[0];

  it('is an alert until somebody sees to it, or it is over', () => {
    expect(of()).toEqual({ rule: 'rpo-breach', subject: 'db', severity: 'p1', isSeenTo: false, isUntold: false });
    expect(of(event('alert.acknowledged', { alert: 'a1', by: 'ann' }))).toMatchObject({ isSeenTo: true });
    const mute = (until: string) => event('alert.muted', { rule: 'rpo-breach', until, why: 'known' });
    expect(of(mute('2026-05-04T13:00:00Z'))).toMatchObject({ isSeenTo: true });
    expect(of(mute('2026-05-04T11:30:00Z'))).toMatchObject({ isSeenTo: false });
    expect(of(event('alert.resolved', { alert: 'a1' }))).toBeUndefined();
  });

  it('is untold where each channel that was to be told refused', () => {
    expect(of(told('pager', 'failed'), told('lead', 'failed'))).toMatchObject({ isUntold: true });
    expect(of(told('pager', 'failed'), told('lead', 'delivered'))).toMatchObject({ isUntold: false });
  });
});
