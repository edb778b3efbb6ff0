import type { Target } from '../../foundation/target.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { type Comparison, readManifest } from '../../source/index.ts';
import { Reading } from '../reading.ts';
import { chooseSnapshot, targetOf } from '../restore/restore.ts';
import { withScratch } from '../scratch.ts';
import { damageNote, readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface CompareRequest {
  source: string;
  /** An id or the beginning of one. */
  snapshot?: string;
  /** A moment: RFC 3339, `2h ago` or `latest`. */
  at?: string;
  /** A directory or a database URL, as given; the living source, when left out. */
  with?: string;
  /** Where the repository is not the source's own. */
  repository?: string;
}

export interface Compared extends Comparison {
  source: string;
  snapshot: string;
  /** RFC 3339: the moment of the recovery point. */
  time: string;
  /** The other place, fit to be shown; left out for the living source. */
  with?: string;
  equal: boolean;
  durationMs: number;
}

/** Holds the living source, or another place, against a recovery point. It only reads there, and records what it found. */
export async function compare(workspace: Workspace, request: CompareRequest): Promise<Compared> {
  const { clock } = workspace.environment;
  const started = clock.monotonicMs();
  const planned = workspace.sources([request.source])[0]!;
  const other = request.with === undefined ? undefined : targetOf(request.with);
  const opened = await workspace.open(workspace.repositoryName(request.repository ?? planned.repository));
  const reading = await Reading.begin(opened, clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    reading.notes.push(...damaged.map(damageNote));
    const snapshot = chooseSnapshot(snapshots, workspace, request);
    const { compared, differences, notes } = await compareWith(workspace, opened, { planned, snapshot, other });
    const durationMs = clock.monotonicMs() - started;
    const about = { source: planned.name, snapshot: snapshot.id, ...(other && { with: labelOf(other) }) };
    await reading.record('comparison.finished', {
      ...{ ...about, tree: snapshot.tree, compared },
      ...{ differences: differences.length, durationMs },
    });
    return {
      ...{ ...about, time: snapshot.time, equal: differences.length === 0, compared, differences, durationMs },
      notes: [...notes, ...reading.notes],
    };
  } finally {
    await reading.end();
  }
}

async function compareWith(
  workspace: Workspace,
  opened: OpenedRepository,
  { planned, snapshot, other }: { planned: PlanSource; snapshot: StoredSnapshot; other: Target | undefined },
): Promise<Comparison> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(planned.name);
  const reader = new Reader(await loadIndex(opened.repository), snapshot);
  try {
    const { problems } = await readManifest(reader);
    const source = await workspace.createSource(planned);
    const comparison = await withScratch((scratchDirectory) =>
      source.compare(reader, other, { clock, progress, signal, scratchDirectory }),
    );
    if (problems.length === 0) return comparison;
    const note = `the snapshot is partial: it does not have ${problems.map(({ item }) => item).join(', ')}`;
    return { ...comparison, notes: [...comparison.notes, note] };
  } finally {
    progress.finish();
    await reader.close();
  }
}

function labelOf(target: Target): string {
  return target.kind === 'directory' ? target.path : target.label;
}
