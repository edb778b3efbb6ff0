/** What messages say, the same in every channel. Pure. */
import type { Alert, CalledPerson } from './alert.ts';
import type { AlertMessage } from './channel.ts';

const NEWS = {
  raised: 'Raised',
  updated: 'Still so',
  acknowledged: 'Acknowledged',
  resolved: 'Resolved',
} as const satisfies Record<AlertMessage['kind'], string>;

/** What happened to the alerts, in a word or two: `Raised`. */
export function newsOf({ kind }: AlertMessage): string {
  return NEWS[kind];
}

/**
 * What a message is about, on one line and the same for as long as the alerts are, so that updates belong together:
 * `[omni] P1 rpo-breach: omni-db`.
 */
export function subjectOf({ plan, alerts }: AlertMessage): string {
  const severity = alerts.map((alert) => alert.severity).toSorted()[0]!;
  const [first] = alerts;
  const about =
    alerts.length === 1 ? `${first!.rule}: ${first!.subject}` : `${alerts.length} alerts: ${namesOf(alerts)}`;
  return onOneLine(`[${plan}] ${severity.toUpperCase()} ${about}`);
}

function namesOf(alerts: readonly Alert[]): string {
  const names = alerts.map(({ rule, subject }) => `${rule} of ${subject}`);
  return names.length > 3 ? `${names.slice(0, 3).join(', ')} …` : names.join(', ');
}

/** A line of what is known of an alert. */
export interface Fact {
  label: string;
  value: string;
  /** A link that the value is the text of. */
  url?: string;
}

/** What a person needs to know beside what happened, in the order in which it is shown. */
export function factsOf(alert: Alert, { acknowledgeUrls }: Pick<AlertMessage, 'acknowledgeUrls'>): Fact[] {
  const { since, endangers, command, runbooks, contacts, acknowledgedBy, resolvedAt, state, id } = alert;
  const url = acknowledgeUrls?.[id];
  const acknowledge = `holdfast alert ack ${id}`;
  const facts: (Fact | undefined)[] = [
    { label: 'Since', value: since },
    resolvedAt === undefined ? undefined : { label: 'Resolved', value: resolvedAt },
    acknowledgedBy === undefined ? undefined : { label: 'Acknowledged by', value: acknowledgedBy },
    state === 'resolved' ? undefined : { label: 'Endangers', value: endangers },
    state === 'resolved' ? undefined : { label: 'Do', value: command },
    runbooks.length === 0 || state === 'resolved'
      ? undefined
      : { label: 'Runbooks', value: runbooks.map((runbook) => recoveryBy(runbook, id)).join(' or ') },
    contacts.length === 0 || state === 'resolved'
      ? undefined
      : { label: 'Call', value: contacts.map(called).join('; ') },
    state !== 'open' ? undefined : { label: 'Acknowledge', value: acknowledge, ...(url !== undefined && { url }) },
  ];
  return facts.filter((fact) => fact !== undefined);
}

/** What starts a runbook of which an alert is a symptom; the recovery time then counts from the alert. */
export function recoveryBy(runbook: string, alert: string): string {
  return `holdfast recover ${runbook} --alert ${alert}`;
}

/** `P1 rpo-breach of omni-db`. */
export function titleOf({ severity, rule, subject }: Alert): string {
  return onOneLine(`${severity.toUpperCase()} ${rule} of ${subject}`);
}

/** All of a message as plain text, without a newline at its end. */
export function plainText(message: AlertMessage): string {
  const parts = message.alerts.map((alert) =>
    [
      `${newsOf(message)}: ${titleOf(alert)}`,
      '',
      alert.message,
      '',
      ...factsOf(alert, message).map(({ label, value, url }) => `${label}: ${url ?? value}`),
    ].join('\n'),
  );
  return [...parts, `Plan ${message.plan}; sent for: ${message.reason}`].join('\n\n');
}

function called({ role, name, phone, email }: CalledPerson): string {
  return [name === undefined ? role : `${role} ${name}`, phone, email].filter((part) => part !== undefined).join(' ');
}

/** Without line breaks and other control characters. */
export function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** The first characters of a text, with a sign where something was left out. Counts as the other side does, in UTF-16. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  // Half of a pair is no character.
  return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
