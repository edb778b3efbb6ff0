import { snapshotTimeMs } from '../../format/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { snapshotsOf } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';

/** What is picked among a source's recovery points. */
export interface Pick {
  pick?: 'latest' | 'random' | undefined;
  /** Of `random`: how far back from the newest; all, when left out. */
  fromMs?: number | undefined;
  /** From 0 up to, and without, 1. */
  random?: (() => number) | undefined;
}

/** The newest of a source's backups, or any, each as likely as any other. @returns undefined where it has none */
export function pickSnapshot(
  { plan }: Workspace,
  snapshots: readonly StoredSnapshot[],
  source: string,
  { pick, fromMs = Number.POSITIVE_INFINITY, random = Math.random }: Pick,
): StoredSnapshot | undefined {
  const own = snapshotsOf(snapshots, plan.name, source);
  const newest = own.at(-1);
  if (newest === undefined || pick !== 'random') return newest;
  const oldestMs = snapshotTimeMs(newest) - fromMs;
  const recent = own.filter((snapshot) => snapshotTimeMs(snapshot) >= oldestMs);
  return recent[Math.floor(random() * recent.length)];
}
