import type { EventQuery, LedgerEvent } from '../../ledger/index.ts';
import type { Workspace } from '../workspace.ts';

/** An event, and where it lies. */
export interface LoggedEvent {
  repository: string;
  /** It waits on this machine for its repository. */
  isWaiting?: true;
  event: LedgerEvent;
}

export interface LogRequest extends EventQuery {
  /** Whose ledger; those of all repositories of the plan, when left out. */
  repository?: string;
}

/**
 * Events of the plan's ledgers that are asked for, oldest first, with those that wait on this machine.
 * @throws repository-damaged when a ledger is not whole; what keeps a repository from being opened
 */
export async function ledgerLog(workspace: Workspace, { repository, ...query }: LogRequest): Promise<LoggedEvent[]> {
  const names = ledgerNames(workspace, repository);
  const { matches } = await import('../../ledger/index.ts');
  const logged: LoggedEvent[] = [];
  for (const name of names) {
    const { ledger } = await workspace.openToRead(name);
    for (const event of await ledger.events(query)) logged.push({ repository: name, event });
    if (workspace.plan.mirrors.has(name)) continue;
    for (const event of await workspace.recorder(name).waiting()) {
      if (matches(event, query)) logged.push({ repository: name, isWaiting: true, event });
    }
  }
  // Those of one ledger stay in its order.
  const sorted = names.length === 1 ? logged : logged.sort((a, b) => compareTexts(a.event.time, b.event.time));
  return query.limit === undefined ? sorted : sorted.slice(-query.limit);
}

/** The repository that was asked for, or all of the plan. @throws unknown-repository */
export function ledgerNames(workspace: Workspace, repository: string | undefined): string[] {
  return repository === undefined ? [...workspace.plan.repositories.keys()] : [workspace.repositoryName(repository)];
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
