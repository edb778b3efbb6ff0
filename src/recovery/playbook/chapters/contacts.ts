import { formatDuration } from '../../../foundation/units.ts';
import type { ChannelPlan, Contact, Rung } from '../../../plan/index.ts';
import { type Block, chapter, list, paragraph, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { hostWords, nounWords } from '../words.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';

export function contacts(playbook: Playbook): Block[] {
  const { plan } = playbook.facts;
  return chapter(
    '9. Contacts and escalation',
    part('Emergency contacts', people([...plan.contacts.values()])),
    part('Escalation path', escalation(playbook)),
    part('Channels', channels(playbook)),
  );
}

function people(all: readonly Contact[]): Block[] {
  return table(
    ['Role', 'Name', 'Telephone', 'Mail', 'Alerts reach them by'],
    all.map(({ role, name, phone, email, channel }) => [
      role,
      ...[name, phone, email, channel].map((each) => each ?? '–'),
    ]),
    'The plan names nobody.',
  );
}

function escalation({ facts: { plan } }: Playbook): Block[] {
  const { escalation: rungs, routes } = plan.alerts;
  const told = rungs.map((rung) => `${spanOf(rung, rungs)}: ${namesOf(rung, plan.contacts)}${conditions(rung)}`);
  const routed = routes.map(({ to, rules, severity }) => {
    const what = rules === undefined ? 'every alert' : `alerts of ${rules.join(', ')}`;
    return `At once, beside the ladder: ${to} gets ${what}${severity === undefined ? '' : ` of severity ${severity.toUpperCase()}`}.`;
  });
  if (told.length + routed.length === 0) return [paragraph('The plan tells nobody of alerts.', 'bad')];
  return [
    ...list(told, true),
    ...list(routed),
    paragraph(
      'Times count from the alert. Who has seen to it says holdfast alert ack: then nobody else is told, but for what is told until it is resolved.',
    ),
  ];
}

/** `0 ms – 30 min`, up to the next rung that is later. */
function spanOf({ afterMs }: Rung, rungs: readonly Rung[]): string {
  const next = rungs.find((each) => each.afterMs > afterMs);
  const from = afterMs === 0 ? '0 min' : formatDuration(afterMs);
  return next === undefined ? `${from} and later` : `${from} – ${formatDuration(next.afterMs)}`;
}

function namesOf({ notify }: Rung, all: ReadonlyMap<string, Contact>): string {
  return notify
    .map((id) => {
      const { role = id, channel } = all.get(id) ?? {};
      return channel === undefined ? role : `${role} (by ${channel})`;
    })
    .join(', ');
}

function conditions({ severity, untilResolved, afterMs }: Rung): string {
  const when =
    severity === undefined ? '' : `, of alerts of severity ${severity.toUpperCase()}${afterMs === 0 ? ' at once' : ''}`;
  return `${when}${untilResolved ? ', also of what somebody has seen to, until it is resolved' : ''}`;
}

function channels({ facts: { plan }, find }: Playbook): Block[] {
  return table(
    ['Channel', 'What it is', ...SHOWN_COLUMNS],
    [...plan.alerts.channels.values()].map((channel) => [
      channel.name,
      channelWords(channel),
      ...(channel.type === 'heartbeat' ? ['–', 'known there alone'] : shownCells(find('channel', channel.name))),
    ]),
    'The plan has none.',
  );
}

function channelWords(channel: ChannelPlan): string {
  switch (channel.type) {
    case 'pagerduty':
      return 'PagerDuty';
    case 'slack':
      return 'Slack';
    case 'email':
      return `mail to ${channel.to.map((to) => nounWords('address', to)).join(', ')}`;
    case 'webhook':
      return `an HTTP endpoint at ${hostWords(channel.url)}`;
    case 'heartbeat':
      return `a watch outside at ${hostWords(channel.url)}, told every ${formatDuration(channel.everyMs)} that all is well`;
    case 'command':
      return 'a program of your own';
  }
}
