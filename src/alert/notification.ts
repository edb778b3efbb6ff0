/** What programs are told, by webhook and by command: one JSON object. Its schema is in `docs/notification.schema.json`. */
import { createHash, randomUUID } from 'node:crypto';
import type { Alert } from './alert.ts';
import type { Message } from './channel.ts';
import { plainText, subjectOf } from './wording.ts';

/** Grows when a member changes its meaning or goes; new ones may come at any time. */
const NOTIFICATION_VERSION = 1;

export interface Notification {
  version: typeof NOTIFICATION_VERSION;
  type: 'alert.raised' | 'alert.updated' | 'alert.acknowledged' | 'alert.resolved' | 'report' | 'test';
  /** RFC 3339: when it was sent. */
  timestamp: string;
  data: {
    plan: string;
    title: string;
    /** All of it, for people. */
    text: string;
    /** Of alerts: why it comes here. */
    reason?: string;
    alerts?: (Alert & { acknowledgeUrl?: string })[];
    /** Of a report: the same as `text`. */
    markdown?: string;
    html?: string;
  };
}

export function notificationOf(message: Message, nowMs: number): Notification {
  const envelope = { version: NOTIFICATION_VERSION, timestamp: new Date(nowMs).toISOString() } as const;
  const { kind, plan } = message;
  switch (kind) {
    case 'test':
      return { ...envelope, type: 'test', data: { plan, title: `[${plan}] test`, text: message.text } };
    case 'report': {
      const { title, text, markdown, html } = message;
      return { ...envelope, type: 'report', data: { plan, title, text, markdown, html } };
    }
    default: {
      const { reason, acknowledgeUrls } = message;
      const alerts = message.alerts.map((alert) => {
        const acknowledgeUrl = acknowledgeUrls?.[alert.id];
        return { ...alert, ...(acknowledgeUrl !== undefined && { acknowledgeUrl }) };
      });
      const data = { plan, title: subjectOf(message), text: plainText(message), reason, alerts };
      return { ...envelope, type: `alert.${kind}`, data };
    }
  }
}

/**
 * By what a receiver knows a message again that is sent twice: the same for the same news, whenever it is sent. Each test is
 * one of its own.
 */
export function messageId(message: Message): string {
  if (message.kind === 'test') return `msg_${randomUUID()}`;
  const { acknowledgeUrls: _, ...news } = { acknowledgeUrls: undefined, ...message };
  return `msg_${createHash('sha256').update(JSON.stringify(news)).digest('hex').slice(0, 32)}`;
}
