/** What a mail says. Pure. */
import { createHash, randomUUID } from 'node:crypto';
import { escapeHtml } from '../../foundation/html.ts';
import type { Alert } from '../alert.ts';
import type { AlertMessage, Message } from '../channel.ts';
import { factsOf, newsOf, onOneLine, plainText, subjectOf, titleOf } from '../wording.ts';

export interface Mail {
  subject: string;
  text: string;
  html: string;
  messageId: string;
  /** Message ids of what it belongs to; the first is answered. */
  references: string[];
  isUrgent: boolean;
}

/** @param domain what message ids end with */
export function mailOf(message: Message, domain: string): Mail {
  const { plan } = message;
  const alone = { messageId: `<${randomUUID()}@${domain}>`, references: [], isUrgent: false };
  switch (message.kind) {
    case 'test':
      return {
        ...alone,
        subject: onOneLine(`[${plan}] test`),
        text: message.text,
        html: page(paragraph(message.text)),
      };
    case 'report':
      return { ...alone, subject: onOneLine(message.title), text: message.text, html: message.html };
    default:
      return alertMail(message, domain);
  }
}

/**
 * The mail that an alert is first told by is the root of its thread. What comes later answers it, and a mail that tells of
 * several alerts refers to the root of each. Whatever is sent twice has the same id twice; what a later rung of the ladder
 * sends to the same address has another, since a mailbox may drop what it has already.
 */
function alertMail(message: AlertMessage, domain: string): Mail {
  const { kind, reason, alerts } = message;
  const roots = alerts.map(({ id }) => `<${idOf([message.plan, id])}@${domain}>`);
  const isFirst = kind === 'raised' && !/^[1-9]/.test(reason);
  const { acknowledgeUrls: _, ...news } = message;
  const subject = subjectOf(message);
  return {
    subject: isFirst ? subject : `Re: ${subject}`,
    text: plainText(message),
    html: page(`${alerts.map((alert) => alertHtml(alert, message)).join('')}${footer(message)}`),
    messageId: isFirst ? roots[0]! : `<${idOf([JSON.stringify(news)])}@${domain}>`,
    references: isFirst ? roots.slice(1) : roots,
    isUrgent: kind === 'raised' && alerts.some(({ severity }) => severity === 'p1'),
  };
}

function idOf(parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 40);
}

function alertHtml(alert: Alert, message: AlertMessage): string {
  const rows = factsOf(alert, message).map(({ label, value, url }) => {
    const link = url === undefined ? undefined : `<a href="${escapeHtml(url)}">${escapeHtml(label)}</a>`;
    const shown =
      link ?? (label === 'Do' || label === 'Runbooks' ? `<code>${escapeHtml(value)}</code>` : escapeHtml(value));
    return `<tr><th align="left" valign="top">${escapeHtml(label)}</th><td>${shown}</td></tr>`;
  });
  const heading = `<h2>${escapeHtml(`${newsOf(message)}: ${titleOf(alert)}`)}</h2>`;
  return `${heading}${paragraph(alert.message)}<table cellpadding="4">${rows.join('')}</table>`;
}

function footer({ plan, reason }: AlertMessage): string {
  return `<p><small>${escapeHtml(`Plan ${plan}; sent for: ${reason}`)}</small></p>`;
}

function paragraph(text: string): string {
  return `<p>${escapeHtml(text).replaceAll('\n', '<br>')}</p>`;
}

function page(body: string): string {
  return `<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="font-family: sans-serif">${body}</body></html>`;
}
