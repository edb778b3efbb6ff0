import { matchesGlob } from 'node:path';
import { bytesOf } from '../../format/index.ts';

/**
 * Which paths a list of patterns names. A pattern without `/` matches a name at any depth; one that begins with `/` matches
 * a whole path; any other matches the end of a path. What lies in a directory that matches is meant as well.
 *
 * @returns a test of a path as a byte string (`/srv/uploads/a.tmp`)
 */
export function pathMatcher(patterns: readonly string[]): (path: string) => boolean {
  const globs = patterns.map((pattern) => {
    const trimmed = pattern.length > 1 ? pattern.replace(/\/+$/, '') : pattern;
    return trimmed.startsWith('/') ? trimmed : `/**/${trimmed}`;
  });
  return (path) => {
    const text = bytesOf(path).toString('utf8');
    return globs.some((glob) => matchesGlob(text, glob));
  };
}
