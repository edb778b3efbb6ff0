import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { decidingEvents } from '../deciding-events.ts';
import type { Workspace } from '../workspace.ts';

/** The incidents that are open. Pure. @param events oldest first, of one ledger or of several one after the other */
export function openIncidents(events: readonly LedgerEvent[]): string[] {
  const closed = new Set(events.flatMap(({ kind, body }) => (kind === 'incident.closed' ? [body.incident] : [])));
  const opened = events.flatMap(({ kind, body }) => (kind === 'incident.opened' ? [body.incident] : []));
  return [...new Set(opened)].filter((incident) => !closed.has(incident));
}

/** Whether retention and prune rest: while an incident is open nothing is removed that a recovery may need. */
export async function isResting(workspace: Workspace): Promise<boolean> {
  return (await restingFor(workspace)).length > 0;
}

/** @throws incident-open while one is */
export async function refuseWhileResting(workspace: Workspace, what: string): Promise<void> {
  const open = await restingFor(workspace);
  if (open.length === 0) return;
  throw new HoldfastError('incident-open', `${what} rests while an incident is open: ${open.join(', ')}`, {
    hint: 'Nothing is removed that the recovery may need. It goes on by itself once the incident is closed.',
    context: { incidents: open.length },
  });
}

async function restingFor(workspace: Workspace): Promise<string[]> {
  const events: LedgerEvent[] = [];
  for (const name of workspace.homeNames) events.push(...(await decidingEvents((await workspace.open(name)).ledger)));
  // An incident often begins while the repository is away: then it waits on this machine.
  events.push(...(await workspace.recorder().waiting()));
  return openIncidents(events);
}
