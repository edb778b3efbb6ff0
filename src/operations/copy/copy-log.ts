import { isHoldfastError } from '../../foundation/errors.ts';
import type { EventBodies } from '../../ledger/index.ts';
import {
  type Covered,
  type LogRange,
  LogTail,
  listTails,
  lsnText,
  parseLsnText,
  type TailListing,
  type TailOwner,
} from '../../repository/index.ts';
import { removeFolded } from '../log/fold.ts';
import { findHoles } from '../log/holes.ts';
import { StoredLog } from '../log/stored-log.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository } from '../workspace.ts';

/** A tail as it was listed: before the snapshots were, so that these have what a fold has taken from it since. */
export interface ListedTail {
  tail: LogTail;
  covered: Covered | undefined;
  listing: TailListing;
}

export interface CopiedTail {
  objects: number;
  /** Of the log itself. */
  bytes: number;
  /** What is damaged and was left behind. */
  damaged: string[];
}

/** @param owner all tails that the repository has, without one */
export async function listLogs(
  { repository }: OpenedRepository,
  owner: TailOwner | undefined,
): Promise<{ tails: ListedTail[]; damaged: string[] }> {
  const owners = owner === undefined ? (await listTails(repository)).owners : [owner];
  const damaged: string[] = [];
  const tails: ListedTail[] = [];
  for (const each of owners) {
    const tail = new LogTail(repository, each);
    // Before the listing: what it says is there was there by then.
    const covered = await unlessDamaged(damaged, () => tail.readCovered());
    tails.push({ tail, covered, listing: await tail.list() });
  }
  return { tails, damaged };
}

/**
 * Brings a tail to another repository, sealed with its key, in the order of the log: cut off, what is there has no hole. What
 * the snapshots there have by then goes from the tail there.
 * @throws object-missing when a part became a snapshot meanwhile: copy the snapshots again, and then the tail
 */
export async function copyTail({ tail, covered, listing }: ListedTail, to: OpenedRepository): Promise<CopiedTail> {
  const target = new LogTail(to.repository, tail.owner);
  const copied: CopiedTail = { objects: 0, bytes: 0, damaged: [] };
  for (const history of listing.histories) {
    const file = await unlessDamaged(copied.damaged, () => tail.readHistory(history));
    if (file === undefined) continue;
    await target.writeHistory(history.system, history.timeline, file);
    copied.objects++;
  }
  for (const entry of listing.entries) {
    const part = await unlessDamaged(copied.damaged, () => tail.read(entry));
    if (part === undefined) continue;
    await target.write(target.sealLog(entry, part.header, part.bytes));
    copied.objects++;
    copied.bytes += part.bytes.length;
  }
  if (covered !== undefined && (await isNews(target, covered))) {
    await target.writeCovered(covered);
    copied.objects++;
  }
  const list = async () => (await readableSnapshots(to.repository)).snapshots;
  await removeFolded(await StoredLog.read(to.repository, tail.owner, list));
  return copied;
}

/**
 * What was removed here, since no backup needs it, before it could come there: it is a gap there, between what did come and
 * what does now. A hole behind where the log begins here is none of these, and stays one.
 */
export async function recordMissed(from: OpenedRepository, to: OpenedRepository, owner: TailOwner): Promise<void> {
  const [here, there] = await Promise.all(
    [from, to].map(({ repository }) =>
      StoredLog.read(repository, owner, async () => (await readableSnapshots(repository)).snapshots),
    ),
  );
  const { source } = owner;
  const known = await gapsIn(to, []);
  for (const system of new Set(there!.folded.map((each) => each.system))) {
    const first = here!.ranges(system)[0];
    const gaps = known.filter((gap) => gap.source === source && gap.system === system).map(rangeOfGap);
    for (const { timeline, start, end } of findHoles(there!.ranges(system), gaps, undefined)) {
      if (first === undefined || timeline > first.timeline || end > first.start) continue;
      const reason = 'it had been removed from the repository that it is copied from';
      await to.ledger.append('log.gap', { source, system, timeline, start: lsnText(start), end: lsnText(end), reason });
    }
  }
}

function rangeOfGap({ timeline, start, end }: EventBodies['log.gap']): LogRange {
  return { timeline, start: parseLsnText(start), end: parseLsnText(end) };
}

/**
 * Gaps that were recorded: without them the log would seem to have lost what it never had.
 * @returns what keeps them from being known
 */
export async function copyGaps(
  from: OpenedRepository,
  to: OpenedRepository,
  sources: ReadonlySet<string>,
): Promise<string[]> {
  if (sources.size === 0) return [];
  const damaged: string[] = [];
  const [theirs, ours] = [await gapsIn(from, damaged), await gapsIn(to, damaged)];
  const known = new Set(ours.map(identityOf));
  for (const gap of theirs) {
    if (!sources.has(gap.source) || known.has(identityOf(gap))) continue;
    await to.ledger.append('log.gap', gap);
    known.add(identityOf(gap));
  }
  return damaged;
}

async function gapsIn({ ledger }: OpenedRepository, damaged: string[]): Promise<EventBodies['log.gap'][]> {
  const events = (await unlessDamaged(damaged, () => ledger.read())) ?? [];
  return events.flatMap(({ kind, body }) => (kind === 'log.gap' ? [body] : []));
}

function identityOf({ source, system, timeline, start, end }: EventBodies['log.gap']): string {
  return JSON.stringify([source, system, timeline, start, end]);
}

/** Not so on the way back: the place that the copy is of may have come further since. */
async function isNews(target: LogTail, covered: Covered): Promise<boolean> {
  const there = await unlessDamaged([], () => target.readCovered());
  return there === undefined || Date.parse(there.coveredUntil) < Date.parse(covered.coveredUntil);
}

async function unlessDamaged<T>(damaged: string[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    damaged.push(error.message);
    return undefined;
  }
}
