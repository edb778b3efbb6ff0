import { HoldfastError } from '../../foundation/errors.ts';
import {
  type CopiedSnapshot,
  copySnapshots,
  findSnapshot,
  loadIndex,
  type StoredSnapshot,
} from '../../repository/index.ts';
import { withLock } from '../locked.ts';
import { Reading } from '../reading.ts';
import { allSnapshotsOf, damageNote, isOfId, type ReadableSnapshots, readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface CopyRequest {
  /** Names of repositories of the plan. */
  from: string;
  to: string;
  /** Ids, which may be shortened; all when there is none. */
  snapshots: readonly string[];
  /** Only those of this source of the plan. */
  source?: string;
}

export interface Copied {
  from: string;
  to: string;
  snapshots: CopiedSnapshot[];
  /** Partial where a snapshot that cannot be read is one of those asked for, or may be. */
  outcome: 'complete' | 'partial';
  /** Bytes that were stored. */
  bytes: number;
  notes: string[];
  durationMs: number;
}

/** Copies snapshots from one repository of the plan to another. @throws bad-usage, unknown-snapshot, repository-damaged … */
export async function copy(workspace: Workspace, request: CopyRequest): Promise<Copied> {
  const { clock } = workspace.environment;
  const startedMs = clock.monotonicMs();
  const from = await workspace.open(request.from);
  const to = await workspace.open(request.to);
  if (from.repository.config.id === to.repository.config.id) {
    throw new HoldfastError('bad-usage', `${request.from} and ${request.to} are one repository`, {
      hint: 'Name two different repositories of the plan with --from and --to.',
    });
  }
  const reading = await Reading.begin(from, clock);
  try {
    const readable = await readableSnapshots(from.repository);
    const { chosen, outcome } = choose(workspace, readable, request);
    reading.notes.push(...notesOf(from, readable));
    const snapshots = await copyChosen(workspace, { from, to }, chosen, reading.notes);
    const bytes = snapshots.reduce((sum, each) => sum + each.bytes, 0);
    const durationMs = clock.monotonicMs() - startedMs;
    await to.ledger.append('copy.finished', {
      from: request.from,
      to: request.to,
      snapshots: snapshots.filter(({ existed }) => !existed).map((each) => ({ from: each.from, to: each.to })),
      bytes,
      durationMs,
      outcome,
    });
    return { from: request.from, to: request.to, snapshots, outcome, bytes, notes: reading.notes, durationMs };
  } finally {
    await reading.end();
  }
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
  workspace: Workspace,
  { from, to }: { from: OpenedRepository; to: OpenedRepository },
  snapshots: readonly StoredSnapshot[],
  notes: string[],
): Promise<CopiedSnapshot[]> {
  const { signal } = workspace.environment;
  const progress = workspace.environment.progress(to.name);
  try {
    return await withLock(workspace, to, { exclusive: false }, async (lock) => {
      const present = await readableSnapshots(to.repository);
      notes.push(...notesOf(to, present));
      const [source, target] = [await loadIndex(from.repository), await loadIndex(to.repository)];
      return copySnapshots(source, target, { snapshots, present: present.snapshots }, { lock, progress, signal });
    });
  } finally {
    progress.finish();
  }
}
