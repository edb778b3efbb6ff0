import type { Alert, CalledPerson } from '../../alert/index.ts';
import type { Plan } from '../../plan/index.ts';
import type { BookedAlert } from './book.ts';

/** An alert as it is told to people. */
export function alertOf(plan: Pick<Plan, 'alerts' | 'contacts'>, booked: BookedAlert): Alert {
  const { id, rule, subject, severity, since, endangers, command, runbooks, acknowledged, resolvedMs } = booked;
  const state = resolvedMs !== undefined ? 'resolved' : acknowledged !== undefined ? 'acknowledged' : 'open';
  const again = booked.flaps ? '; it comes and goes: raised three times or more within an hour' : '';
  return {
    ...{ id, rule, subject, severity, state, since, endangers, command, runbooks },
    message: `${booked.message}${again}`,
    raisedAt: new Date(booked.raisedMs).toISOString(),
    contacts: contactsOf(plan),
    ...(acknowledged && { acknowledgedBy: acknowledged.by }),
    ...(resolvedMs !== undefined && { resolvedAt: new Date(resolvedMs).toISOString() }),
  };
}

/** Whom to call: those of the ladder, in its order. */
function contactsOf({ alerts, contacts }: Pick<Plan, 'alerts' | 'contacts'>): CalledPerson[] {
  const names = new Set(alerts.escalation.flatMap(({ notify }) => notify));
  return [...names].flatMap((name) => {
    const contact = contacts.get(name);
    if (contact === undefined) return [];
    const { id: _id, channel: _channel, ...person } = contact;
    return [person];
  });
}
