import type { AlertMessage } from '../../alert/index.ts';
import type { Plan } from '../../plan/index.ts';

/**
 * Who is told instead of a channel that failed, in this order: the contacts that come after it on the ladder, those that come
 * before it, other contacts, and what other channels there are. A channel that routes give only some rules is told of those
 * alone, whoever fails: the page that users see is no place for a missed backup. Pure.
 */
export function fallbackChannels(
  { alerts, contacts }: Pick<Plan, 'alerts' | 'contacts'>,
  failed: string,
  { alerts: told }: Pick<AlertMessage, 'alerts'>,
): string[] {
  const onLadder = alerts.escalation.flatMap(({ notify }) => notify).map((contact) => contacts.get(contact)?.channel);
  const ladder = unique(onLadder);
  const at = ladder.indexOf(failed) + 1;
  const others = [...contacts.values()].map(({ channel }) => channel);
  return unique([...ladder.slice(at), ...ladder.slice(0, at), ...others, ...alerts.channels.keys()]).filter(
    (name) => name !== failed && alerts.channels.get(name)?.type !== 'heartbeat' && mayHear(name),
  );

  function mayHear(name: string): boolean {
    const own = alerts.routes.filter(({ to }) => to === name);
    const isNarrow = own.length > 0 && own.every(({ rules }) => rules !== undefined) && !ladder.includes(name);
    return !isNarrow || told.every(({ rule }) => own.some(({ rules }) => rules?.includes(rule)));
  }
}

function unique(names: readonly (string | undefined)[]): string[] {
  return [...new Set(names.filter((name) => name !== undefined))];
}
