import type { Finding } from '../../index.ts';
import { raiseLimitCommand, watchLimit } from './limits.ts';
import { directoriesIn } from './tree-watch.ts';
import { WatchedPaths } from './watched-paths.ts';

/** Other programs of the same user take watches, too. */
const FREE_SHARE = 0.9;

/** Whether the system lets all directories be watched; nothing where it knows no such limit. */
export function examineWatches(
  paths: readonly string[],
  isExcluded: (path: string) => boolean,
  limit: number | undefined = watchLimit(),
): Finding[] {
  if (limit === undefined) return [];
  const directories = countDirectories(new WatchedPaths(paths, isExcluded));
  const about = 'fs.inotify.max_user_watches';
  const counts = `${directories} directories are to be watched, of ${limit} that a user may watch over all programs`;
  if (directories <= limit * FREE_SHARE) return [{ level: 'ok', about, message: counts }];
  return [
    {
      level: 'warning',
      about,
      message: `${counts}: changes in those without a watch are found only when everything is looked at`,
      mend: { place: 'shell', lines: [raiseLimitCommand(directories)], note: 'As root. It holds from then on.' },
    },
  ];
}

function countDirectories(watched: WatchedPaths): number {
  const left = [...watched.paths];
  let count = watched.leading.length;
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    count++;
    for (const name of directoriesIn(path)) if (watched.includes(`${path}/${name}`)) left.push(`${path}/${name}`);
  }
  return count;
}
