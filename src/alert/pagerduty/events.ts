/** What PagerDuty is told, as its Events API v2 takes it. Pure. */
import { createHash, randomUUID } from 'node:crypto';
import type { Severity } from '../../plan/index.ts';
import type { Alert } from '../alert.ts';
import type { AlertMessage, TestMessage } from '../channel.ts';
import { cut, factsOf, onOneLine, subjectOf } from '../wording.ts';

/** Member names are PagerDuty's. */
export interface PagerdutyEvent {
  event_action: 'trigger' | 'acknowledge' | 'resolve';
  dedup_key: string;
  payload?: PagerdutyPayload;
  links?: { href: string; text: string }[];
  client?: string;
}

interface PagerdutyPayload {
  summary: string;
  source: string;
  severity: 'critical' | 'error' | 'warning' | 'info';
  timestamp?: string;
  component?: string;
  group?: string;
  class?: string;
  custom_details?: Record<string, string>;
}

const SEVERITIES = { p1: 'critical', p2: 'error', p3: 'warning' } as const satisfies Record<Severity, string>;
const ACTIONS = {
  raised: 'trigger',
  updated: 'trigger',
  acknowledged: 'acknowledge',
  resolved: 'resolve',
} as const satisfies Record<AlertMessage['kind'], PagerdutyEvent['event_action']>;

/** PagerDuty's own limits, in characters. */
const SUMMARY_LIMIT = 1024;
const KEY_LIMIT = 255;

/** In the order in which they are to be sent. */
export function eventsOf(message: AlertMessage | TestMessage): PagerdutyEvent[] {
  return message.kind === 'test' ? testEvents(message) : message.alerts.map((alert) => eventOf(alert, message));
}

function eventOf(alert: Alert, message: AlertMessage): PagerdutyEvent {
  const action = { event_action: ACTIONS[message.kind], dedup_key: keyOf(message.plan, alert) };
  if (action.event_action !== 'trigger') return action;
  const { rule, subject, severity, since } = alert;
  const facts = factsOf(alert, message);
  const links = facts.flatMap(({ label, url }) => (url === undefined ? [] : [{ href: url, text: label }]));
  const details = Object.fromEntries(facts.map(({ label, value }) => [label, value]));
  return {
    ...action,
    client: 'Holdfast',
    payload: {
      summary: cut(onOneLine(`${subjectOf({ ...message, alerts: [alert] })}: ${alert.message}`), SUMMARY_LIMIT),
      source: message.plan,
      severity: SEVERITIES[severity],
      timestamp: since,
      component: subject,
      group: message.plan,
      class: rule,
      custom_details: { ...details, 'Sent for': message.reason },
    },
    ...(links.length > 0 && { links }),
  };
}

/** An incident that is resolved at once. */
function testEvents({ plan, text }: TestMessage): PagerdutyEvent[] {
  const dedup_key = `holdfast:${plan}:test:${randomUUID()}`;
  const payload = { summary: cut(onOneLine(text), SUMMARY_LIMIT), source: plan, severity: 'info' } as const;
  return [
    { event_action: 'trigger', dedup_key, client: 'Holdfast', payload },
    { event_action: 'resolve', dedup_key },
  ];
}

/** The same for as long as the alert is; of plans that share an integration, each has its own. */
function keyOf(plan: string, { id }: Alert): string {
  const key = `holdfast:${plan}:${id}`;
  return key.length <= KEY_LIMIT ? key : `holdfast:${createHash('sha256').update(key).digest('hex')}`;
}
