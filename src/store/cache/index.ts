import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export { CachingStore } from './caching-store.ts';

/** So much is kept of each repository. */
export const CACHE_LIMIT_BYTES = 4 * 1024 ** 3;

/** Where a repository's cache is, as the XDG base directory specification says; undefined for a user without a home. */
export function cacheDirectory(
  repositoryId: string,
  { XDG_CACHE_HOME: given, HOME: home = homedir() }: Readonly<Record<string, string | undefined>>,
): string | undefined {
  // A relative one is to be ignored, by the specification.
  const base = given !== undefined && isAbsolute(given) ? given : isAbsolute(home) ? join(home, '.cache') : undefined;
  return base === undefined ? undefined : join(base, 'holdfast', repositoryId);
}
