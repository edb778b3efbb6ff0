import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, systemCode } from '../../foundation/errors.ts';
import type { SandboxTarget } from '../sandbox.ts';

/** A directory's name says until when it stays, so that what any process left is removed by a later one: seconds since 1970. */
const KEPT = /^holdfast-kept-(\d{1,12})-[0-9a-f]{10}$/;

/** How a place is kept: beside where it is, so that nothing is copied. Nothing, for a place that cannot be. */
export function keepingIn(
  { parentDirectory = tmpdir() }: { parentDirectory?: string },
  { keepAs }: { keepAs?(path: string): void },
): Pick<SandboxTarget, 'keepUntil'> {
  if (keepAs === undefined) return {};
  return {
    keepUntil: (untilMs) => {
      const name = `holdfast-kept-${Math.ceil(untilMs / 1000)}-${randomBytes(5).toString('hex')}`;
      const path = join(parentDirectory, name);
      keepAs(path);
      return path;
    },
  };
}

/**
 * Removes what was kept and whose time is over. What is no directory, or somebody else's, is left.
 * @throws sandbox-failed where one cannot be removed
 */
export async function removeExpired({
  clock,
  parentDirectory = tmpdir(),
}: {
  clock: Clock;
  parentDirectory?: string;
}): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(parentDirectory)) {
    const untilSeconds = KEPT.exec(name)?.[1];
    const path = join(parentDirectory, name);
    if (untilSeconds === undefined || Number(untilSeconds) * 1000 > clock.nowMs()) continue;
    if (!mayRemove(path)) continue;
    try {
      await rm(path, { recursive: true });
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') continue;
      throw new HoldfastError('sandbox-failed', `what was kept in ${path} could not be removed`, {
        hint: 'Remove it by hand: it holds restored data.',
        context: { path },
        cause,
      });
    }
    removed.push(path);
  }
  return removed;
}

/** Nobody else's: where others may make directories, one of theirs is not followed into. */
function mayRemove(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const uid = process.getuid?.();
  return found?.isDirectory() === true && (uid === undefined || found.uid === uid);
}
