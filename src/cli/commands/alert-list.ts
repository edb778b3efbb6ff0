import { EXIT } from '../../foundation/errors.ts';
import type { ListedAlert, ListedAlerts } from '../../operations/index.ts';
import { describeMending } from '../alert-text.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, doubtful, faint, good, oneLine, shownTime, strong } from '../text.ts';

export const alertList: CommandDefinition = {
  name: 'alert list',
  summary: 'show what is wrong, who was told, and what is muted',
  description:
    'Shows every alert that is open: what happened, since when, what it endangers, the command that mends it, who was told and whom to call. `holdfast serve` looks for what is wrong; without it nothing new is found.',
  options: [{ flags: '--all', description: 'also what is over' }],
  examples: [
    { command: 'holdfast alert list', does: 'what is wrong now?' },
    { command: 'holdfast alert list --all --json', does: 'all that ever was, for a program' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial],
  writes: false,
  async run({ options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const listed = await operations.listAlerts(await workspace(), { all: options['all'] === true });
    const exit = listed.unread.length > 0 ? EXIT.partial : EXIT.done;
    return { exit, json: listed, text: describe(listed) };
  },
};

function describe({ alerts, mutes, unread }: ListedAlerts): string {
  const unseen = unread.map(
    ({ repository, error }) => oneLine`${bad('unread')} ${repository}: ${error.message}: there may be more`,
  );
  const muted = mutes.map(
    ({ rule, subject, until, why, by }) =>
      oneLine`${doubtful('muted')} ${rule}${subject === undefined ? '' : ` of ${subject}`} until ${shownTime(until)} by ${by}: ${why}`,
  );
  if (alerts.length === 0) return [good('nothing is wrong that anybody was told of'), ...muted, ...unseen].join('\n');
  return [...alerts.map(block), ...muted, ...unseen].join('\n');
}

function block(alert: ListedAlert): string {
  const { id, severity, rule, subject, state, message, contacts, told } = alert;
  const states = { open: bad('open'), acknowledged: doubtful('acknowledged'), resolved: good('resolved') };
  const by = alert.acknowledgedBy === undefined ? '' : ` by ${alert.acknowledgedBy}`;
  const note = alert.acknowledgedNote === undefined ? '' : `: ${alert.acknowledgedNote}`;
  const over = alert.resolvedAt === undefined ? '' : `, ${shownTime(alert.resolvedAt)}`;
  const muted = alert.muted === undefined ? '' : `, ${doubtful('muted')} until ${shownTime(alert.muted.until)}`;
  const people = contacts.map(({ role, name, phone, email }) => [name ?? role, phone, email].filter(Boolean).join(' '));
  const channels = told.map(({ channel, reasons, refused }) =>
    reasons.length === 0 || refused ? bad(`${channel} (refused)`) : `${channel} (${reasons.join(', ')})`,
  );
  return [
    oneLine`${strong(id)} ${severity} ${rule} ${subject}: ${states[state]}${by}${note}${over}${muted}`,
    oneLine`  ${message}`,
    ...describeMending(alert),
    ...(channels.length > 0 ? [`  ${faint('told')} ${channels.join(', ')}`] : []),
    ...(people.length > 0 ? [`  ${faint('call')} ${people.join(', ')}`] : []),
  ].join('\n');
}
