import type { Workspace } from '../../operations/index.ts';
import type { AnyContext } from './any-context.ts';

/** The workspace of a step: what is done with it ends with the step. */
export function workspaceOf({ workspace, signal }: AnyContext): Workspace {
  return workspace.within({ signal });
}
