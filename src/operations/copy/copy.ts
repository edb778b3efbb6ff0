import { HoldfastError } from '../../foundation/errors.ts';
import {
  type CopiedSnapshot,
  copySnapshots,
  findSnapshot,
  listSnapshots,
  loadIndex,
  type StoredSnapshot,
} from '../../repository/index.ts';
import { withLock } from '../locked.ts';
import { Reading } from '../reading.ts';
import { snapshotsOf } from '../snapshots-of.ts';
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
    const chosen = choose(workspace, await listSnapshots(from.repository), request);
    const snapshots = await copyChosen(workspace, { from, to }, chosen);
    const bytes = snapshots.reduce((sum, each) => sum + each.bytes, 0);
    const durationMs = clock.monotonicMs() - startedMs;
    await to.ledger.append('copy.finished', {
      from: request.from,
      to: request.to,
      snapshots: snapshots.filter(({ existed }) => !existed).map((each) => ({ from: each.from, to: each.to })),
      bytes,
      durationMs,
    });
    return { from: request.from, to: request.to, snapshots, bytes, notes: reading.notes, durationMs };
  } finally {
    await reading.end();
  }
}

function choose(
  workspace: Workspace,
  all: readonly StoredSnapshot[],
  { snapshots, source }: CopyRequest,
): StoredSnapshot[] {
  const wanted = new Set(snapshots.map((id) => findSnapshot(all, id).id));
  const chosen = wanted.size === 0 ? [...all] : all.filter(({ id }) => wanted.has(id));
  if (source === undefined) return chosen;
  return snapshotsOf(chosen, workspace.plan.name, workspace.sources([source])[0]!.name);
}

async function copyChosen(
  workspace: Workspace,
  { from, to }: { from: OpenedRepository; to: OpenedRepository },
  snapshots: readonly StoredSnapshot[],
): Promise<CopiedSnapshot[]> {
  const { signal } = workspace.environment;
  const progress = workspace.environment.progress(to.name);
  try {
    return await withLock(workspace, to, { exclusive: false }, async (lock) => {
      const present = await listSnapshots(to.repository);
      const [source, target] = [await loadIndex(from.repository), await loadIndex(to.repository)];
      return copySnapshots(source, target, { snapshots, present }, { lock, progress, signal });
    });
  } finally {
    progress.finish();
  }
}
