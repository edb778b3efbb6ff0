import { mergeSmallIndex } from '../merge-small-index.ts';
import type { RetainedSource } from '../retain/decide-all.ts';
import { retainSource } from '../retain/retain.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/**
 * Keeps a repository handy in which a snapshot is taken every few seconds: those that are old enough go, as the plan has it,
 * and what lists their content becomes few files again. The space comes back with the next prune.
 * @throws repository-locked, repository-damaged; permission-denied with credentials that cannot delete
 */
export async function thinOut(workspace: Workspace, opened: OpenedRepository, source: RetainedSource): Promise<void> {
  await retainSource(workspace, opened, source);
  await mergeSmallIndex(workspace, opened);
}
