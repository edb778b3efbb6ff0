import type { EventQuery, LedgerEvent } from '../../ledger/index.ts';
import { eachRepository, type RepositoryFailure, refuseFailures } from '../attempt-each.ts';
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

/** What can be read of several ledgers. */
export interface ReachableLog {
  logged: LoggedEvent[];
  /** Repositories whose ledgers cannot be read: of those there is what waits for them. */
  failures: RepositoryFailure[];
}

/**
 * Events of the plan's ledgers that are asked for, oldest first, with those that wait on this machine.
 * @throws repository-damaged when a ledger is not whole; what keeps a repository from being opened
 */
export async function ledgerLog(workspace: Workspace, request: LogRequest): Promise<LoggedEvent[]> {
  const { logged, failures } = await reachableLog(workspace, request);
  refuseFailures(failures);
  return logged;
}

/** The same of the ledgers that can be read. @throws what keeps all of them from it, where that is of one kind */
export async function reachableLog(workspace: Workspace, { repository, ...query }: LogRequest): Promise<ReachableLog> {
  const names = ledgerNames(workspace, repository);
  const { matches } = await import('../../ledger/index.ts');
  const { repositories, failures } = await eachRepository(workspace, names, async (name) => {
    const { ledger } = await workspace.openToRead(name);
    return (await ledger.events(query)).map((event): LoggedEvent => ({ repository: name, event }));
  });
  const logged = repositories.flat();
  for (const name of names) {
    if (workspace.plan.mirrors.has(name)) continue;
    for (const event of await workspace.recorder(name).waiting()) {
      if (matches(event, query)) logged.push({ repository: name, isWaiting: true, event });
    }
  }
  // Those of one ledger stay in its order.
  const sorted = names.length === 1 ? logged : logged.sort((a, b) => compareTexts(a.event.time, b.event.time));
  return { logged: query.limit === undefined ? sorted : sorted.slice(-query.limit), failures };
}

/** The repository that was asked for, or all of the plan. @throws unknown-repository */
export function ledgerNames(workspace: Workspace, repository: string | undefined): string[] {
  return repository === undefined ? [...workspace.plan.repositories.keys()] : [workspace.repositoryName(repository)];
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
