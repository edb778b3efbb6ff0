import { isHoldfastError } from '../../foundation/errors.ts';
import { type Finding, findingOfError } from '../../source/index.ts';
import { withLock } from '../locked.ts';
import type { Workspace } from '../workspace.ts';

/** Whether a repository of the plan is there, opens with its password, and can be written to. */
export async function examineRepository(workspace: Workspace, name: string): Promise<Finding[]> {
  let place: string | undefined;
  try {
    const opened = await workspace.open(name);
    place = opened.repository.store.location;
    const there: Finding = { level: 'ok', about: 'repository', message: `${place} opens with its password` };
    return [there, await examineWriting(workspace, name)];
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    const finding = findingOfError('repository', error);
    if (error.code !== 'no-repository') return [finding];
    return [{ ...finding, mend: { place: 'shell', lines: ['holdfast init'] } }];
  }
}

/** A backup's lock is the least that is ever written. */
async function examineWriting(workspace: Workspace, name: string): Promise<Finding> {
  const opened = await workspace.open(name);
  try {
    await withLock(workspace, opened, { exclusive: false }, async () => {});
    return { level: 'ok', about: 'writing', message: 'can be written to' };
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return findingOfError('writing', error);
  }
}
