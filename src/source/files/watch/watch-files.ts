import { HoldfastError, messageOf, systemCode } from '../../../foundation/errors.ts';
import { Inotify } from '../../../foundation/inotify.ts';
import type { Watch, WatchContext } from '../../index.ts';
import { PortableWatch } from './portable-watch.ts';
import { TreeWatch } from './tree-watch.ts';
import { WatchedPaths } from './watched-paths.ts';

/**
 * Watches these paths and what is below them.
 * @param paths absolute, as text
 * @throws source-unsupported where this user may have no more watchers, or the system watches nothing
 */
export async function watchFiles(
  paths: readonly string[],
  isExcluded: (path: string) => boolean,
  context: WatchContext,
): Promise<Watch> {
  const watched = new WatchedPaths(paths, isExcluded);
  try {
    const inotify = Inotify.open();
    if (inotify !== undefined) return new TreeWatch(inotify, watched, context);
    return await PortableWatch.begin(paths, watched, context);
  } catch (error) {
    const hint =
      systemCode(error) === 'EMFILE'
        ? 'Let a user have more watchers: sysctl fs.inotify.max_user_instances=512, as root.'
        : 'Take the source off `schedule: continuous`, or watch it on another machine.';
    throw new HoldfastError('source-unsupported', `files cannot be watched here: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  }
}
