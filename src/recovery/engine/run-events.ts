/** What the ledger says of one incident or drill. Pure. */
import type { LedgerEvent, Summary } from '../../ledger/index.ts';

/** The kinds of events that incidents and drills are made of. */
const RUN_EVENT_KINDS = [
  'incident.opened',
  'incident.acknowledged',
  'incident.noted',
  'incident.closed',
  'breach.declared',
  'breach.reported',
  'drill.started',
  'drill.finished',
  'drill.kept',
  'step.started',
  'step.noted',
  'step.finished',
  'step.late',
  'step.asked',
  'step.answered',
  'fence.completed',
] as const satisfies readonly LedgerEvent['kind'][];

/** An event of an incident or drill: what of its envelope matters here. */
export type RunEvent = {
  [Kind in (typeof RUN_EVENT_KINDS)[number]]: Pick<
    Extract<LedgerEvent, { kind: Kind }>,
    'kind' | 'body' | 'time' | 'actor'
  >;
}[(typeof RUN_EVENT_KINDS)[number]];

export function isRunEvent(event: Pick<LedgerEvent, 'kind'>): event is LedgerEvent & RunEvent {
  return (RUN_EVENT_KINDS as readonly string[]).includes(event.kind);
}

/** A daemon asks for them every few seconds: of a ledger of years, what is new alone is read. */
export const runEventsSummary: Summary<LedgerEvent[]> = {
  name: 'recoveries-1',
  initial: () => [],
  add(events, event) {
    if (isRunEvent(event)) events.push(event);
  },
  copy: (events) => [...events],
};

/** The id of the incident or drill that an event is of. */
export function runOf({ body }: RunEvent): string {
  if ('run' in body) return body.run;
  return 'incident' in body ? body.incident : body.drill;
}

/** Who somebody is, on whichever machine: whom the API knows, or the account's name. */
export function personOf({ actor, body }: Pick<RunEvent, 'actor'> & { body: { by?: string } }): string {
  return body.by ?? personOfActor(actor);
}

/** @param actor `user@host` */
export function personOfActor(actor: string): string {
  return actor.slice(0, actor.lastIndexOf('@'));
}
