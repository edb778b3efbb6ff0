/** Where alerts go: `alerts.channels` of a plan. */
import { z } from 'zod';
import { parseDuration } from '../../foundation/units.ts';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { command } from '../sources/common.ts';
import { type Complaint, duration, filled, text } from '../values.ts';

const url = (description: string) =>
  textOrReference(text('a URL such as https://hooks.example.com/…', description, judgeUrl));

function judgeUrl(value: string): Complaint | undefined {
  if (!URL.canParse(value)) return {};
  const { protocol, username, password } = new URL(value);
  if (username !== '' || password !== '') {
    return { message: 'credentials are never written in the plan; expected a reference such as { env: NAME }' };
  }
  return /^https?:$/.test(protocol) ? undefined : {};
}

/** Whoever has it can raise and resolve alerts, or write to where people look: it is never written down. */
const secretText = (expected: string, description: string) =>
  textOrReference(
    text(expected, description, () => ({
      message: 'a secret is never written in the plan; expected a reference such as { env: NAME }',
    })),
  );

const pagerduty = z
  .strictObject({
    type: z.literal('pagerduty'),
    routingKey: secretText('a reference to the routing key', "The integration's routing key, of Events API v2."),
    url: url("Where events are sent; PagerDuty's own address when left out.").optional(),
  })
  .meta({ description: 'PagerDuty, by its Events API v2.' });

const slack = z
  .strictObject({
    type: z.literal('slack'),
    webhook: secretText('a reference to the URL of an incoming webhook', 'The URL of an incoming webhook.'),
  })
  .meta({ description: 'A channel of Slack, by an incoming webhook.' });

const email = z
  .strictObject({
    type: z.literal('email'),
    to: z
      .array(textOrReference(filled('an address', 'An address.')), { error: () => 'a list of addresses' })
      .min(1, { error: () => 'at least one address' })
      .meta({ description: 'Who gets the mail.' }),
    from: textOrReference(filled('an address', 'The sender; holdfast@ this machine when left out.')).optional(),
    smtp: secretText(
      'a reference to the URL of the server: smtp://, or smtps:// for TLS from the start',
      'The URL of the mail server, with the user and the password.',
    ),
  })
  .meta({ description: 'Mail, by SMTP; encrypted where the server offers it.' });

const webhook = z
  .strictObject({
    type: z.literal('webhook'),
    url: url('Where each notification is sent with POST, as JSON.'),
    secret: secretText(
      'a reference to a secret',
      'What requests are signed with, so that the receiver knows them.',
    ).optional(),
  })
  .meta({ description: 'An HTTP endpoint of your own, such as a status page; requests are signed.' });

const heartbeat = z
  .strictObject({
    type: z.literal('heartbeat'),
    url: url('What is asked, with GET, while all is well: it alarms by itself when nobody asks any more.'),
    every: duration('How often.').default('1m'),
  })
  .meta({ description: 'A watch outside that alarms when Holdfast falls silent.' });

const program = z
  .strictObject({ type: z.literal('command'), command })
  .meta({ description: 'A program that gets the notification as JSON on its standard input, and must exit 0.' });

export const channel = z
  .discriminatedUnion('type', [pagerduty, slack, email, webhook, heartbeat, program], {
    error: () => 'one of the types pagerduty, slack, email, webhook, heartbeat, command',
  })
  .meta({ description: 'Where alerts go.' });

/** A channel of the plan, by its type; texts may be references. */
export type ChannelPlan = { name: string } & (
  | { type: 'pagerduty'; routingKey: TextOrReference; url?: TextOrReference }
  | { type: 'slack'; webhook: TextOrReference }
  | { type: 'email'; to: TextOrReference[]; from?: TextOrReference; smtp: TextOrReference }
  | { type: 'webhook'; url: TextOrReference; secret?: TextOrReference }
  | { type: 'heartbeat'; url: TextOrReference; everyMs: number }
  | { type: 'command'; command: TextOrReference[] }
);

export function buildChannel(name: string, document: z.output<typeof channel>): ChannelPlan {
  if (document.type !== 'heartbeat') return { name, ...document } as ChannelPlan;
  return { name, type: 'heartbeat', url: document.url, everyMs: parseDuration(document.every)! };
}
