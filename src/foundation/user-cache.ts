import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Holdfast's directory in the cache of the user, as the XDG base directory specification says; undefined for a user without
 * a home.
 */
export function userCacheDirectory({
  XDG_CACHE_HOME: given,
  HOME: home = homedir(),
}: Readonly<Record<string, string | undefined>>): string | undefined {
  // A relative one is to be ignored, by the specification.
  const base = given !== undefined && isAbsolute(given) ? given : isAbsolute(home) ? join(home, '.cache') : undefined;
  return base === undefined ? undefined : join(base, 'holdfast');
}
