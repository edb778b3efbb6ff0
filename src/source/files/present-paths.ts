import { lstatSync } from 'node:fs';
import { byteStringOfText, displayName } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Problem } from '../index.ts';

/**
 * Those of a plan's paths that are there, and what is to be said of the others, and of links.
 * @param paths absolute, as text
 * @throws path-missing when none of them is there
 */
export function presentPaths(paths: readonly string[]): { present: string[]; problems: Problem[] } {
  const missing = paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) === undefined);
  const problems = missing.map((path) => ({ item: path, error: missingPath(path) }));
  if (missing.length === paths.length) throw problems[0]!.error;
  const present = paths.filter((path) => !missing.includes(path));
  const links = present.filter((path) => lstatSync(path).isSymbolicLink());
  return { present, problems: [...problems, ...links.map(linkAlone)] };
}

function missingPath(path: string): HoldfastError {
  return new HoldfastError('path-missing', `${path} does not exist`, {
    hint: 'Correct the path in the plan, or mount what should be there.',
    context: { path },
  });
}

/** A link alone is hardly what somebody wants to protect. */
function linkAlone(path: string): Problem {
  const error = new HoldfastError('source-unsupported', 'is a symbolic link: what it leads to was not backed up', {
    hint: 'Name the place that the link leads to in the plan.',
  });
  return { item: displayName(byteStringOfText(path)), error };
}
