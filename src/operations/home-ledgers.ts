import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { OpenedRepository, Workspace } from './workspace.ts';

/**
 * The repositories that sources are kept in, open: what is about the plan as a whole is recorded in each. One that is new in
 * the plan may not be there yet.
 * @returns also the names of those that are not there
 * @throws no-repository where there is none at all; what keeps one from being opened
 */
export async function homeLedgers(workspace: Workspace): Promise<{ ledgers: OpenedRepository[]; without: string[] }> {
  const ledgers: OpenedRepository[] = [];
  const without: string[] = [];
  for (const name of workspace.homeNames) {
    try {
      ledgers.push(await workspace.open(name));
    } catch (error) {
      if (!isHoldfastError(error, 'no-repository')) throw error;
      without.push(name);
    }
  }
  if (ledgers.length > 0) return { ledgers, without };
  throw new HoldfastError('no-repository', "none of the plan's repositories is there yet", {
    hint: 'Make them with `holdfast init`.',
  });
}
