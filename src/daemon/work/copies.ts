import { EXIT } from '../../foundation/errors.ts';
import { keepLocked, replicate, replicateExit, type Workspace } from '../../operations/index.ts';
import { type Worked, workedOf, worseOf } from './work.ts';

/**
 * What follows work that changed a repository: locks that are due are extended, and its mirrors get what is new. What fails
 * makes the work partial, and undoes nothing of it.
 */
export async function withCopies(workspace: Workspace, repository: string, worked: Worked): Promise<Worked> {
  if (workspace.environment.signal.aborted) return worked;
  const locks = (await keepLocked(workspace)).flatMap(({ error }) => error ?? []);
  const kept = locks.length === 0 ? worked : worseOf(worked, workedOf(EXIT.partial, locks));
  if (workspace.mirrorsOf(repository).length === 0) return kept;
  const mirrors = await replicate(workspace, [repository]);
  if (replicateExit(mirrors) === EXIT.done) return kept;
  const errors = mirrors.flatMap((each) => (each.outcome === 'failed' ? [each.error] : []));
  return worseOf(kept, workedOf(EXIT.partial, errors));
}
