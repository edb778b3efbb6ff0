import type { Alert, AlertMessage, Message } from '../../src/alert/index.ts';

/** An alert as rules make them, but for what is given. */
export function alertOf(change: Partial<Alert> = {}): Alert {
  return {
    id: 'a1b2c3d4',
    rule: 'rpo-breach',
    subject: 'omni-db',
    severity: 'p1',
    state: 'open',
    message: 'the newest recovery point is 3 h old, and 5 min were promised',
    since: '2026-05-04T02:00:00Z',
    raisedAt: '2026-05-04T02:05:00Z',
    endangers: 'what was written since 23:00',
    command: 'holdfast backup omni-db',
    runbooks: ['region-failure'],
    contacts: [{ role: 'On-call engineer', phone: '+1-555-0100' }],
    ...change,
  };
}

export function messageOf(
  kind: AlertMessage['kind'],
  change: Partial<Alert> = {},
  more: Partial<AlertMessage> = {},
): AlertMessage {
  return { kind, plan: 'omni', alerts: [alertOf(change)], reason: '0m, oncall', ...more };
}

/** One message of each kind. */
export const EVERY_KIND: readonly Message[] = [
  messageOf('raised'),
  messageOf('updated'),
  messageOf('acknowledged', { state: 'acknowledged', acknowledgedBy: 'ann' }),
  messageOf('resolved', { state: 'resolved', resolvedAt: '2026-05-04T04:00:00Z' }),
  {
    kind: 'report',
    plan: 'omni',
    title: 'Verification',
    text: 'all is well',
    markdown: '**well**',
    html: '<p>well</p>',
  },
  { kind: 'test', plan: 'omni', text: 'this is a test' },
];
