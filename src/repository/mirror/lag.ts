import { sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore, StoredObject } from '../../store/index.ts';
import { SNAPSHOTS_PREFIX, TAIL_PREFIX } from '../layout.ts';
import { kindOf } from './objects.ts';

/** How far a mirror is behind its primary. */
export interface MirrorLag {
  /** How many snapshots it lacks, and how many parts of the newest of logs. */
  snapshots: number;
  logParts: number;
  /** For how long the oldest of them has been in the primary; 0 when nothing is lacking. */
  lagMs: number;
}

/** Holds what two copies of a repository hold of data against each other, without reading any of it. */
export async function measureLag(primary: ObjectStore, mirror: ObjectStore, nowMs: number): Promise<MirrorLag> {
  // The mirror first: what it has by then was in the primary before.
  const theirs = new Set((await recoverable(mirror)).map(({ key }) => key));
  return lagOf(await recoverable(primary), theirs, nowMs);
}

/** The same of what was listed already: what can be recovered from of the primary, and what the mirror has. */
export function lagOf(ours: readonly StoredObject[], theirs: { has(key: string): boolean }, nowMs: number): MirrorLag {
  const lacking = ours.filter(({ key }) => !theirs.has(key));
  const snapshots = lacking.filter(({ key }) => kindOf(key) === 'snapshot').length;
  return {
    snapshots,
    logParts: lacking.length - snapshots,
    lagMs: Math.round(lacking.reduce((oldestMs, { modifiedMs }) => Math.max(oldestMs, nowMs - modifiedMs), 0)),
  };
}

/** Whether an object is what is recovered from: the others are parts of these. */
export function isRecoverable({ key }: StoredObject): boolean {
  const kind = kindOf(key);
  return kind === 'snapshot' || kind === 'tail';
}

async function recoverable(store: ObjectStore): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  await sideBySide([SNAPSHOTS_PREFIX, TAIL_PREFIX], 2, async (prefix) => {
    for await (const object of store.list(prefix)) if (isRecoverable(object)) objects.push(object);
  });
  return objects;
}
