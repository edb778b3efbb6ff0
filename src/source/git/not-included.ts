import type { Git } from './git-program.ts';
import type { RefState } from './refs.ts';

/** Branches that are looked at, besides HEAD. */
const LOOKED_AT = 20;

/**
 * What belongs to a repository and does not lie in it: submodules, and files that Git LFS keeps elsewhere. Looked for at
 * HEAD and in the first branches.
 */
export async function notIncluded(git: Git, directory: string, { head, refs }: RefState): Promise<string[]> {
  const branches = [...refs].filter(([name]) => name.startsWith('refs/heads/')).slice(0, LOOKED_AT);
  const headId = head === undefined ? undefined : 'id' in head ? head.id : refs.get(head.ref);
  const commits = new Set([...(headId === undefined ? [] : [headId]), ...branches.map(([, id]) => id)]);
  const found = new Set<string>();
  for (const commit of commits) {
    if (await has(git, directory, ['-e', '^[[:space:]]*url', commit, '--', '.gitmodules']))
      found.add('submodules, which are repositories of their own: back up each as a source');
    if (await has(git, directory, ['-e', 'filter=lfs', commit, '--', ':(glob)**/.gitattributes']))
      found.add('files that Git LFS keeps elsewhere: only the pointers to them lie in the repository');
  }
  return [...found];
}

async function has(git: Git, directory: string, words: string[]): Promise<boolean> {
  // 1: nothing found; 128: what is named is no commit, which a branch may be in a repository that somebody broke.
  const acceptedStatuses = [0, 1, 128];
  return (await git.run(['grep', '--quiet', ...words], { directory, acceptedStatuses })).status === 0;
}
