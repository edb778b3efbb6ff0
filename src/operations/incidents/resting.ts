import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { eachRepository, type RepositoryFailure, refuseFailures } from '../attempt-each.ts';
import { decidingEvents } from '../deciding-events.ts';
import type { Workspace } from '../workspace.ts';

/** The incidents that are open. Pure. @param events oldest first, of one ledger or of several one after the other */
export function openIncidents(events: readonly LedgerEvent[]): string[] {
  const closed = new Set(events.flatMap(({ kind, body }) => (kind === 'incident.closed' ? [body.incident] : [])));
  const opened = events.flatMap(({ kind, body }) => (kind === 'incident.opened' ? [body.incident] : []));
  return [...new Set(opened)].filter((incident) => !closed.has(incident));
}

/**
 * Whether retention and prune rest: while an incident is open nothing is removed that a recovery may need.
 * @throws what keeps a ledger from being read
 */
export async function isResting(workspace: Workspace): Promise<boolean> {
  const { open, failures } = await restingFor(workspace);
  refuseFailures(failures);
  return open.length > 0;
}

/** @throws incident-open while one is; incident-unknown where the ledger that has them cannot be read */
export async function refuseWhileResting(workspace: Workspace, what: string): Promise<void> {
  const { open, failures } = await restingFor(workspace);
  const [home] = workspace.homeNames;
  const unread = failures.find(({ repository }) => repository === home);
  if (open.length === 0 && unread !== undefined) throw unknown(what, unread);
  if (open.length === 0) return;
  throw new HoldfastError('incident-open', `${what} rests while an incident is open: ${open.join(', ')}`, {
    hint: 'Nothing is removed that the recovery may need. It goes on by itself once the incident is closed.',
    context: { incidents: open.length },
  });
}

/** Incidents are recorded in the ledger of the first repository that sources are kept in, and in no other's. */
function unknown(what: string, { repository, error }: RepositoryFailure): HoldfastError {
  return new HoldfastError(
    'incident-unknown',
    `${what} rests while nobody can tell whether an incident is open: the ledger of ${repository} cannot be read`,
    {
      hint: `Nothing is removed that a recovery may need. \`--dry-run\` says what would be; it is removed once ${repository} can be read, or is no longer in the plan.`,
      context: { repository, reason: error.message },
      cause: error,
    },
  );
}

async function restingFor(workspace: Workspace): Promise<{ open: string[]; failures: RepositoryFailure[] }> {
  const { repositories, failures } = await eachRepository(workspace, workspace.homeNames, async (name) =>
    decidingEvents((await workspace.open(name)).ledger),
  );
  // An incident often begins while the repository is away: then it waits on this machine.
  const waiting = await workspace.recorder().waiting();
  return { open: openIncidents([...repositories.flat(), ...waiting]), failures };
}
