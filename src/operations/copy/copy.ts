import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import {
  type CopiedSnapshot,
  copySnapshots,
  findSnapshot,
  type HeldLock,
  loadIndex,
  type StoredSnapshot,
  type TailOwner,
} from '../../repository/index.ts';
import { type RecallOptions, recallContent } from '../archives/recall.ts';
import { withLock } from '../locked.ts';
import { Reading } from '../reading.ts';
import {
  allSnapshotsOf,
  damageNote,
  isOfId,
  isWal,
  type ReadableSnapshots,
  readableSnapshots,
  sourceOf,
} from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type CopiedTail, copyGaps, copyTail, type ListedTail, listLogs, recordMissed } from './copy-log.ts';

export interface CopyRequest {
  /** Names of repositories of the plan. */
  from: string;
  to: string;
  /** Ids, which may be shortened; all when there is none. */
  snapshots: readonly string[];
  /** Only those of this source of the plan. */
  source?: string;
  /** Logs stay where they are, and nothing is said of it. */
  withoutLogs?: boolean;
  /** How content is asked for that must be. */
  recall?: Partial<RecallOptions>;
}

export interface Copied {
  from: string;
  to: string;
  snapshots: CopiedSnapshot[];
  /** Of the newest part of logs, which lies beside the snapshots: objects, and bytes of the log. */
  tail: { objects: number; bytes: number };
  /** Partial where a part of a log cannot be read, or a snapshot that cannot be read is one of those asked for, or may be. */
  outcome: 'complete' | 'partial';
  /** Bytes that were stored. */
  bytes: number;
  notes: string[];
  durationMs: number;
}

/**
 * Copies snapshots from one repository of the plan to another, and with those of a source the newest part of its log.
 * @throws bad-usage, unknown-snapshot, repository-damaged …
 */
export async function copy(workspace: Workspace, request: CopyRequest): Promise<Copied> {
  const { clock } = workspace.environment;
  const startedMs = clock.monotonicMs();
  const from = await workspace.openToRead(request.from);
  const to = await workspace.open(request.to);
  if (from.repository.config.id === to.repository.config.id) {
    throw new HoldfastError('bad-usage', `${request.from} and ${request.to} are one repository`, {
      hint: 'Name two different repositories of the plan with --from and --to.',
    });
  }
  const reading = await Reading.begin(from, clock);
  const progress = workspace.environment.progress(to.name);
  try {
    const done = await withLock(workspace, to, { exclusive: false }, (lock) =>
      copyAll(workspace, request, { from, to, lock, progress }),
    );
    const durationMs = clock.monotonicMs() - startedMs;
    const { snapshots, tail, bytes, outcome } = done;
    await to.ledger.append('copy.finished', {
      from: request.from,
      to: request.to,
      snapshots: snapshots.filter(({ existed }) => !existed).map((each) => ({ from: each.from, to: each.to })),
      bytes,
      ...(tail.objects > 0 && { tail }),
      durationMs,
      outcome,
    });
    return { from: request.from, to: request.to, ...done, notes: [...reading.notes, ...done.notes], durationMs };
  } finally {
    progress.finish();
    await reading.end();
  }
}

interface CopyPlace {
  from: OpenedRepository;
  to: OpenedRepository;
  lock: HeldLock;
  progress: Progress;
}

/** A follower makes a snapshot of what is in a tail every few minutes; the second time there is little left to copy. */
const ATTEMPTS = 5;

/**
 * The snapshots first and then the newest part of logs, so that what is there has no hole whenever it is cut off. Where a
 * part of a tail has become a snapshot meanwhile, that is copied too.
 */
async function copyAll(
  workspace: Workspace,
  request: CopyRequest,
  place: CopyPlace,
): Promise<Omit<Copied, 'from' | 'to' | 'durationMs'>> {
  const { from, to, progress } = place;
  const copied = new Map<string, CopiedSnapshot>();
  for (let attempt = 1; ; attempt++) {
    const owner = ownerOf(workspace, request);
    const { tails, damaged } = request.withoutLogs ? { tails: [], damaged: [] } : await listLogs(from, owner);
    const readable = await readableSnapshots(from.repository);
    const { chosen, outcome } = choose(workspace, readable, request);
    const wanted = request.snapshots.length > 0 ? [] : tails;
    // Before what is behind a gap comes there, it is known there.
    damaged.push(...(await copyGaps(from, to, sourcesOf(chosen, wanted))));
    const present = await readableSnapshots(to.repository);
    const originals = new Set(present.snapshots.map(originalOf));
    const missing = chosen.filter((snapshot) => !originals.has(originalOf(snapshot)));
    await recallContent(workspace, from, { snapshots: missing, options: request.recall });
    for (const each of await copyChosen(workspace, place, chosen, present.snapshots)) {
      if (!copied.has(each.from)) copied.set(each.from, each);
    }
    progress.phase('copying logs');
    try {
      const tail = await copyTails(place, wanted);
      const lost = wanted.length === 0 ? [] : [...damaged, ...tail.damaged];
      const notes = [
        ...[...notesOf(from, readable), ...notesOf(to, present)],
        ...lost.map((message) => `${from.name}: a part of a log was left behind: ${message}`),
        ...(wanted.length === 0 ? leftBehind(chosen, tails) : []),
      ];
      const snapshots = [...copied.values()];
      const bytes = snapshots.reduce((sum, each) => sum + each.bytes, 0);
      const { objects, bytes: logBytes } = tail;
      return {
        ...{ snapshots, bytes, notes, tail: { objects, bytes: logBytes } },
        outcome: lost.length === 0 ? outcome : 'partial',
      };
    } catch (error) {
      if (attempt === ATTEMPTS || !isHoldfastError(error, 'object-missing')) throw error;
    }
  }
}

/** What a snapshot and its copies have alike. */
function originalOf({ id, original }: StoredSnapshot): string {
  return original ?? id;
}

function ownerOf({ plan }: Workspace, { source }: CopyRequest): TailOwner | undefined {
  return source === undefined ? undefined : { plan: plan.name, source };
}

/** The sources whose logs come along, in snapshots or beside them. */
function sourcesOf(snapshots: readonly StoredSnapshot[], tails: readonly ListedTail[]): Set<string> {
  const inSnapshots = snapshots.filter(isWal).flatMap((snapshot) => sourceOf(snapshot) ?? []);
  return new Set([...inSnapshots, ...tails.map(({ tail }) => tail.owner.source)]);
}

async function copyTails({ from, to }: CopyPlace, tails: readonly ListedTail[]): Promise<CopiedTail> {
  const total: CopiedTail = { objects: 0, bytes: 0, damaged: [] };
  for (const listed of tails) {
    const { objects, bytes, damaged } = await copyTail(listed, to);
    await recordMissed(from, to, listed.tail.owner);
    total.objects += objects;
    total.bytes += bytes;
    total.damaged.push(...damaged);
  }
  return total;
}

/** Who names single snapshots gets these, and is told what does not come along. */
function leftBehind(chosen: readonly StoredSnapshot[], tails: readonly ListedTail[]): string[] {
  const isConcerned = ({ tail: { owner }, listing }: ListedTail): boolean =>
    listing.entries.length > 0 &&
    chosen.some((snapshot) => snapshot.hostname === owner.plan && sourceOf(snapshot) === owner.source);
  return tails
    .filter(isConcerned)
    .map(({ tail }) => `the newest part of the log of ${tail.owner.source} is in no snapshot, and was not asked for`);
}

/** @throws unknown-snapshot; repository-damaged when nothing that was named can be read */
function choose(
  workspace: Workspace,
  { snapshots: all, damaged }: ReadableSnapshots,
  { snapshots: ids, source }: CopyRequest,
): { chosen: StoredSnapshot[]; outcome: Copied['outcome'] } {
  // What a document that cannot be read is of is not known: without ids, it may be anything.
  const lost = damaged.filter((error) => ids.length === 0 || ids.some((id) => isOfId(error, id)));
  const isLost = (prefix: string): boolean =>
    lost.some((error) => isOfId(error, prefix)) && !all.some(({ id }) => id.startsWith(prefix));
  const wanted = new Set(ids.filter((prefix) => !isLost(prefix)).map((prefix) => findSnapshot(all, prefix).id));
  if (ids.length > 0 && wanted.size === 0) throw lost[0]!;
  const chosen = ids.length === 0 ? [...all] : all.filter(({ id }) => wanted.has(id));
  const outcome = lost.length === 0 ? 'complete' : 'partial';
  if (source === undefined) return { chosen, outcome };
  return { chosen: allSnapshotsOf(chosen, workspace.plan.name, workspace.sources([source])[0]!.name), outcome };
}

function notesOf({ name }: OpenedRepository, { damaged }: ReadableSnapshots): string[] {
  return damaged.map((error) => `${name}: ${damageNote(error)}`);
}

async function copyChosen(
  { environment: { signal } }: Workspace,
  { from, to, lock, progress }: CopyPlace,
  snapshots: readonly StoredSnapshot[],
  present: readonly StoredSnapshot[],
): Promise<CopiedSnapshot[]> {
  const [source, target] = [await loadIndex(from.repository), await loadIndex(to.repository)];
  return copySnapshots(source, target, { snapshots, present }, { lock, progress, signal });
}
