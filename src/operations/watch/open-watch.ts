import type { Workspace } from '../workspace.ts';
import { Watch } from './watch.ts';
import { WatchStore, watchPath } from './watch-store.ts';

/**
 * What is known of the living on this machine, to go on with.
 * @param told is told when what was kept could not be read, and begins anew
 * @throws watch-failed; bad-usage for a user without a home
 */
export async function openWatch(workspace: Workspace, told: (message: string) => void): Promise<Watch> {
  return new Watch(workspace.plan, await WatchStore.open(watchPath(workspace), told));
}
