import type { Ledger, LedgerEvent, Summary } from '../ledger/index.ts';

/** By these it is decided what may be removed, and what is read next. Of all of them a ledger has few. */
const KINDS: ReadonlySet<LedgerEvent['kind']> = new Set<LedgerEvent['kind']>([
  ...(['incident.opened', 'incident.closed', 'plan.applied', 'check.finished'] as const),
  ...(['snapshot.checked', 'proof.recorded'] as const),
  ...(['snapshot.held', 'snapshot.released', 'snapshot.suspected', 'snapshot.cleared'] as const),
]);

const summary: Summary<LedgerEvent[]> = {
  name: 'deciding-1',
  initial: () => [],
  add(events, event) {
    const isOfLog = event.kind === 'backup.finished' && event.body.log !== undefined;
    if (isOfLog || KINDS.has(event.kind)) events.push(event);
  },
  copy: (events) => [...events],
  isOfThisProcess: true,
};

/**
 * The events of a ledger by which it is decided what is removed, oldest first: incidents, revisions of the plan, proofs and
 * checks, marks, and backups that begin in a log. A process that asks every day for years reads each once.
 * @throws repository-damaged; the store's errors
 */
export async function decidingEvents(ledger: Ledger): Promise<LedgerEvent[]> {
  const { state } = await ledger.view(summary).read();
  return [...state];
}

/** The pack that the newest check of a share of a repository ended with; undefined when there was none. */
export function endOfLastShare(repository: string, events: readonly LedgerEvent[]): string | undefined {
  const last = events.findLast(
    ({ kind, body }) => kind === 'check.finished' && body.repository === repository && body.readUntil !== undefined,
  );
  return last?.kind === 'check.finished' ? last.body.readUntil : undefined;
}
