import { snapshotTimeMs, type TreeNode } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type HeldLock,
  type IndexedRepository,
  loadIndex,
  lockRepository,
  lsnText,
  Reader,
  removeSnapshot,
  type SnapshotWriter,
  WriteSession,
} from '../../repository/index.ts';
import { decidingEvents } from '../deciding-events.ts';
import { withLock } from '../locked.ts';
import { marksOf } from '../marks/marks.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type FoldablePart, foldGroups, supersededParts } from './fold-groups.ts';
import {
  type FoldedRange,
  foldedRanges,
  type LogMoment,
  readWalFiles,
  saveWalFiles,
  walSnapshot,
} from './wal-snapshots.ts';

type StoredPart = FoldedRange & FoldablePart;

export interface FoldedSnapshots {
  /** Ids of snapshots that were made of several, and of those that were removed for it. */
  made: string[];
  removed: string[];
}

/**
 * Makes one snapshot of a source's log out of several as they grow old (see `foldGroups`), and then removes these. Only
 * lists of files are written: the segments are there.
 *
 * Whoever reads the log sees all of it at every instant, and a run that is cut off leaves nothing but snapshots that another
 * one has all of, which the next run removes. The removal takes a lock that is exclusive towards others, as that of restic's
 * `forget` is; where somebody's is in the way, it is left to a later run.
 * @throws repository-locked while nothing has been made; repository-damaged when all that could be done is done
 */
export async function foldSnapshots(
  workspace: Workspace,
  opened: OpenedRepository,
  source: string,
): Promise<FoldedSnapshots> {
  const { clock } = workspace.environment;
  const before = await partsOf(workspace, opened, source);
  const { made, damage } =
    foldGroups(before, clock.nowMs()).length === 0
      ? { made: [] }
      : await withLock(workspace, opened, { exclusive: false }, (lock) => makeAll(workspace, opened, source, lock));
  const isDone = made.length === 0 && supersededParts(before).size === 0;
  const removed = isDone ? [] : await removeSuperseded(workspace, opened, source);
  if (damage !== undefined) throw damage;
  return { made, removed };
}

async function partsOf({ plan }: Workspace, { repository }: OpenedRepository, source: string): Promise<StoredPart[]> {
  const { snapshots } = await readableSnapshots(repository);
  return foldedRanges(snapshots, plan.name, source).map((each) => ({ ...each, timeMs: snapshotTimeMs(each.snapshot) }));
}

/** @returns also what is wrong with a group that stays as it is: the others do not wait for it */
async function makeAll(
  workspace: Workspace,
  opened: OpenedRepository,
  source: string,
  lock: HeldLock,
): Promise<{ made: string[]; damage?: HoldfastError }> {
  const { clock, signal } = workspace.environment;
  const made: string[] = [];
  let damage: HoldfastError | undefined;
  for (const group of foldGroups(await partsOf(workspace, opened, source), clock.nowMs())) {
    signal.throwIfAborted();
    try {
      made.push(await makeOne(workspace, opened, source, { lock, group }));
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      damage ??= error;
    }
  }
  return { made, ...(damage && { damage }) };
}

async function makeOne(
  workspace: Workspace,
  { repository, ledger }: OpenedRepository,
  source: string,
  { lock, group }: { lock: HeldLock; group: readonly StoredPart[] },
): Promise<string> {
  const [first, last] = [group[0]!, group.at(-1)!];
  const { system, timeline } = last;
  const part = { timeline, start: first.start, end: last.end };
  const indexed = await loadIndex(repository);
  const session = await WriteSession.begin(indexed, { lock, clock: workspace.environment.clock });
  try {
    const files = await filesOf(indexed, session.writer, group);
    const tree = await saveWalFiles(session.writer, files.values(), last.snapshot.time);
    const snapshot = await session.commit(() =>
      walSnapshot(workspace, source, { system, part, tree, moment: momentOf(group) }),
    );
    const positions = { start: lsnText(part.start), end: lsnText(part.end) };
    await ledger.append('log.folded', { source, snapshot, tree, system, timeline, ...positions });
    return snapshot;
  } catch (error) {
    await session.abort(error);
    throw error;
  }
}

/** The newest that is known of any of them, or when the last of them was stored. */
function momentOf(group: readonly StoredPart[]): LogMoment {
  const covered = group.flatMap(({ coveredMs = [] }) => coveredMs);
  return covered.length === 0
    ? { ms: group.at(-1)!.timeMs, isUndated: true }
    : { ms: Math.max(...covered), isUndated: false };
}

/** The files of all of them. @throws repository-damaged where a part does not have what it should */
async function filesOf(
  indexed: IndexedRepository,
  writer: SnapshotWriter,
  group: readonly StoredPart[],
): Promise<Map<string, TreeNode>> {
  const files = new Map<string, TreeNode>();
  for (const part of group) {
    for (const [name, node] of await readFiles(indexed, part)) {
      if (writer.holds(node.content ?? [])) files.set(name, node);
      else throw notThere(part, name);
    }
  }
  return files;
}

function notThere({ snapshot }: StoredPart, name: string): HoldfastError {
  return new HoldfastError('repository-damaged', `snapshot ${snapshot.id.slice(0, 8)} lacks a part of ${name}`, {
    hint: 'Run `holdfast check`. Its log stays as it is until then.',
  });
}

async function readFiles(indexed: IndexedRepository, part: StoredPart): Promise<ReadonlyMap<string, TreeNode>> {
  const reader = new Reader(indexed, part.snapshot);
  try {
    return (await readWalFiles(reader, part)).files;
  } finally {
    await reader.close();
  }
}

async function removeSuperseded(workspace: Workspace, opened: OpenedRepository, source: string): Promise<string[]> {
  const { clock, signal } = workspace.environment;
  let lock: HeldLock;
  try {
    lock = await lockRepository(opened.repository, { exclusive: true, besideOurs: [], clock });
  } catch (error) {
    if (isHoldfastError(error, 'repository-locked')) return [];
    throw error;
  }
  try {
    const going = await findSuperseded(workspace, opened, source);
    if (going.length === 0) return [];
    await lock.confirm();
    await opened.ledger.append('log.superseded', {
      source,
      removed: going.map(({ part: { snapshot }, by }) => ({
        ...{ snapshot: snapshot.id, tree: snapshot.tree, time: snapshot.time, by: by.snapshot.id },
      })),
    });
    for (const { part } of going) {
      signal.throwIfAborted();
      lock.assertHeld();
      await removeSnapshot(opened.repository, part.snapshot.id);
    }
    return going.map(({ part }) => part.snapshot.id);
  } finally {
    await lock.release();
  }
}

/** Those of which another snapshot has every file, of the same content: what tags say is not believed. */
async function findSuperseded(
  workspace: Workspace,
  opened: OpenedRepository,
  source: string,
): Promise<{ part: StoredPart; by: StoredPart }[]> {
  const superseded = supersededParts(await partsOf(workspace, opened, source));
  if (superseded.size === 0) return [];
  const { held } = marksOf(await decidingEvents(opened.ledger));
  const indexed = await loadIndex(opened.repository);
  const read = new Map<StoredPart, ReadonlyMap<string, TreeNode>>();
  const found: { part: StoredPart; by: StoredPart }[] = [];
  for (const [part, by] of superseded) {
    if (held.has(part.snapshot.tree)) continue;
    const files = read.get(by) ?? (await readFiles(indexed, by));
    read.clear();
    read.set(by, files);
    const own = await readFiles(indexed, part);
    if ([...own].every(([name, { content }]) => isSame(content, files.get(name)?.content))) found.push({ part, by });
  }
  return found;
}

function isSame(a: readonly string[] | null | undefined, b: readonly string[] | null | undefined): boolean {
  return a != null && b != null && a.length === b.length && a.every((id, index) => id === b[index]);
}
