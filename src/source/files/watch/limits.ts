import { readFileSync } from 'node:fs';
import { systemCode } from '../../../foundation/errors.ts';

const LIMIT_FILE = '/proc/sys/fs/inotify/max_user_watches';
/** Linux's own default on a machine with memory to spare; a watch that is taken costs about a kilobyte. */
const USUAL_LIMIT = 524_288;

/** How many directories a user may watch, over all programs; undefined where the system does not say. */
export function watchLimit(): number | undefined {
  try {
    return Number.parseInt(readFileSync(LIMIT_FILE, 'utf8'), 10);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** The command that makes room for so many directories, until the next start of the system and after it. */
export function raiseLimitCommand(directories: number): string {
  let limit = USUAL_LIMIT;
  while (limit < directories * 2) limit *= 2;
  return `echo fs.inotify.max_user_watches=${limit} > /etc/sysctl.d/60-holdfast.conf && sysctl --system`;
}

/** @param unwatched how many directories there is no watch for */
export function tooFewWatches(unwatched: number): string {
  const limit = watchLimit();
  const allowed = limit === undefined ? 'no more' : `no more than ${limit}`;
  return `${unwatched} directories are not watched, since a user may watch ${allowed} (fs.inotify.max_user_watches): until there is room for them, what changes there is found only when everything is looked at; as root: ${raiseLimitCommand((limit ?? 0) + unwatched)}`;
}
