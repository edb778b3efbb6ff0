import { messageOf } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import type { Plan, Source as PlanSource } from '../../plan/index.ts';
import { readEpoch } from '../../repository/index.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { ENDPOINT_VARIABLE } from './rescue-plan.ts';

/** A repository, mirror or archive of the plan, as this machine found it. */
export interface Copy {
  name: string;
  /** The repository that it is an exact copy of, or that it has copies from; of a repository, nothing. */
  of?: string;
  /** Where it is, as far as that is known. */
  place: string;
  /** Why it cannot be read; absent where it can. */
  reason?: string;
  /** How often a mirror of it was made the primary. */
  epoch: number;
}

/**
 * Tries every copy that a plan names, all at once. One that cannot be had keeps nobody from the others.
 * @param unconfirmed endpoints of copies that are not tried, by name
 * @throws the signal's reason
 */
export async function findCopies(
  workspace: Workspace,
  unconfirmed: ReadonlyMap<string, string> = new Map(),
): Promise<Copy[]> {
  const { repositories, mirrors } = workspace.plan;
  const named = [
    ...[...repositories.values()].map(({ name, store, archive }) => ({ name, store, of: archive?.from })),
    ...[...mirrors.values()].map(({ name, store, of }) => ({ name, store, of })),
  ];
  return Promise.all(
    named.map(async ({ name, store, of }): Promise<Copy> => {
      const about = {
        name,
        place: typeof store === 'string' ? store : 'a place that the kit does not know',
        ...(of && { of }),
      };
      const endpoint = unconfirmed.get(name);
      if (endpoint !== undefined) return { ...about, epoch: 0, reason: notConfirmed(endpoint) };
      try {
        const { repository } = await workspace.openToRead(name);
        return { ...about, epoch: (await readEpoch(repository)).length };
      } catch (error) {
        workspace.environment.signal.throwIfAborted();
        const { code, message } = reportable(error, workspace.environment.signal);
        if (code === 'internal') throw error;
        const isNew = code === 'secret-unavailable';
        return { ...about, epoch: 0, reason: isNew ? `the kit has no key to it: ${message}` : messageOf(error) };
      }
    }),
  );
}

function notConfirmed(endpoint: string): string {
  return `the ledger alone says that it is at ${endpoint}, which the kit does not know, and no credentials are sent there unasked: where it is yours, say so with ${ENDPOINT_VARIABLE}=${shellWord(endpoint)}, and run the same again`;
}

/**
 * The copy that each source is read from: its repository or a mirror of it, that which was made the primary last coming first;
 * where none of these answers, an archive that has the source. Pure.
 */
export function chooseCopies({ sources, repositories }: Plan, copies: readonly Copy[]): Map<string, string> {
  const reached = copies.filter(({ reason }) => reason === undefined);
  const archives = [...repositories.values()].flatMap(({ name, archive }) => (archive ? [{ name, ...archive }] : []));
  const choose = ({ name, repository }: PlanSource): string | undefined => {
    const exact = reached.filter(
      (copy) => copy.name === repository || (copy.of === repository && !repositories.has(copy.name)),
    );
    const [first] = exact.toSorted((one, other) => other.epoch - one.epoch);
    const kept = archives.filter(({ from, sources: own }) => from === repository && own.includes(name));
    return first?.name ?? kept.find((archive) => reached.some((copy) => copy.name === archive.name))?.name;
  };
  return new Map(
    [...sources.values()].flatMap((source) => {
      const chosen = choose(source);
      return chosen === undefined ? [] : [[source.name, chosen] as const];
    }),
  );
}

/** The copies that can be read, open. */
export async function openCopies(workspace: Workspace, copies: readonly Copy[]): Promise<OpenedRepository[]> {
  const reached = copies.filter(({ reason }) => reason === undefined);
  return Promise.all(reached.map(({ name }) => workspace.openToRead(name)));
}
