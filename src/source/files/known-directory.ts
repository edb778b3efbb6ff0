import type { TreeNode } from '../../format/index.ts';
import type { Stale } from './changes.ts';
import type { Listing } from './listing.ts';

/** What the previous snapshot has of a directory of which nothing needs to be known before all in it is read. */
export interface Later {
  tree: string;
  /** Undefined where it cannot be read. */
  entries: () => Promise<Map<string, TreeNode> | undefined>;
}

/** What is known of a directory before what is in it is looked at. */
export interface Known {
  /** What the previous snapshot has of it; undefined where it has nothing, or where that is not looked at yet. */
  before: Map<string, TreeNode> | undefined;
  /** What is to be looked at anew; everything, where it is not known. */
  stale: Stale | undefined;
  /** What is in it, where that was listed already. */
  listing?: Listing | undefined;
  later?: Later | undefined;
}

/** Whether only a part of a directory is to be looked at. */
export function isPart({ before, stale }: Known): boolean {
  return before !== undefined && stale !== undefined && !stale.isWhole;
}

export const NOTHING: Stale = { isWhole: false, children: new Map() };

/** So many files of a directory are worth a message of their own, and no more of them are left to one thread. */
const LEAST_TOGETHER = 8;
const MOST_TOGETHER = 1024;

/** Whether a directory that is compared as a whole is for one thread to read. */
export function isForOneThread({ listing, later }: Known): boolean {
  const files = listing?.names.length ?? 0;
  return later !== undefined && files >= LEAST_TOGETHER && files <= MOST_TOGETHER;
}
