import { byteStringOfText, pathMatcher } from '../../format/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { type Comparison, MANIFEST_DIRECTORY, type Manifest, type RestoreContext, readManifest } from '../index.ts';
import { DirectoryComparison, type Scope } from './validate.ts';

/**
 * Holds what is at the captured paths, or at the same paths below another directory, against the snapshot. Every file of
 * the snapshot is read there.
 */
export async function compareFiles(
  reader: SnapshotReader,
  directory: string,
  context: RestoreContext,
): Promise<Comparison> {
  const comparison = new DirectoryComparison(reader, context, scopeOf(await readManifest(reader)));
  const roots = (await reader.entries(reader.tree)).filter(({ name }) => name !== MANIFEST_DIRECTORY);
  await comparison.compare(roots, directory);
  return { compared: comparison.entries, differences: comparison.differences, notes: [] };
}

/** What was captured, as the snapshot itself says it: the plan may have changed since. */
function scopeOf({ details }: Manifest): Scope {
  const paths = textsOf(details['paths']).map((path) => byteStringOfText(path === '/' ? '' : path));
  const isExcluded = pathMatcher(textsOf(details['exclude']));
  const isInside = (path: string): boolean => paths.some((each) => path === each || path.startsWith(`${each}/`));
  return {
    leavesOut: (path) => path === `/${MANIFEST_DIRECTORY}` || isExcluded(path),
    leadsTo: (path) => !isInside(path) && paths.some((each) => each.startsWith(`${path}/`)),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
