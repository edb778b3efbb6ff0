/** What the ledger shows of what a plan promises: that it was done, when, and with which result. Pure. */
import type { EventBodies, LedgerEvent } from '../../ledger/index.ts';
import { OF_DATA } from './of-data.ts';
import { OF_PEOPLE } from './of-people.ts';
import { OF_RECOVERY } from './of-recovery.ts';
import type { Found, Known, Showing, Shown, ShowsByKind } from './showing.ts';

const SHOWS: ShowsByKind = { ...OF_DATA, ...OF_RECOVERY, ...OF_PEOPLE };

/** The kinds of events that show something, and those that tell what they are about. */
export const SHOWING_KINDS = [
  ...Object.keys(SHOWS),
  ...['drill.started', 'incident.opened', 'breach.declared'],
] as readonly LedgerEvent['kind'][];

/** @param events oldest first */
export function showingsIn(events: readonly LedgerEvent[]): Showing[] {
  const runbooks = new Map<string, string>();
  const breaches = new Map<string, string>();
  return events.flatMap((event): Showing[] => {
    if (event.kind === 'drill.started') runbooks.set(event.body.drill, event.body.runbook);
    if (event.kind === 'incident.opened') runbooks.set(event.body.incident, event.body.runbook ?? '');
    if (event.kind === 'breach.declared') breaches.set(event.body.incident, event.body.since);
    const { time: at } = event;
    return showsOf(event, { at, runbooks, breaches }).map((found) => ({ ...found, at }));
  });
}

function showsOf<Kind extends LedgerEvent['kind']>(
  { kind, body }: { kind: Kind; body: EventBodies[Kind] },
  known: Known,
): Found[] {
  return [SHOWS[kind]?.(body, known) ?? []].flat();
}

/** Of something, the newest showing, and the newest that did not fail. */
export interface LastShown {
  last?: Showing;
  good?: Showing;
}

/** The newest showings of everything. */
export class Showings {
  readonly #known = new Map<string, LastShown>();

  /** @param showings oldest first */
  constructor(showings: readonly Showing[]) {
    for (const showing of showings) {
      const key = `${showing.what} ${showing.subject}`;
      const { good } = this.#known.get(key) ?? {};
      const newestGood = showing.result === 'failed' ? good : showing;
      this.#known.set(key, { last: showing, ...(newestGood && { good: newestGood }) });
    }
  }

  of(what: Shown, subject: string): LastShown {
    return this.#known.get(`${what} ${subject}`) ?? {};
  }
}
