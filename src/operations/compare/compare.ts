import { HoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import { loadIndex, Reader } from '../../repository/index.ts';
import { type Comparison, type Manifest, readManifest } from '../../source/index.ts';
import { isOffline, type RecallOptions, recallContent } from '../archives/recall.ts';
import { Reading } from '../reading.ts';
import { databaseOf, inSandbox, type SandboxRequest } from '../restore/in-sandbox.ts';
import { describePoint } from '../restore/recovery-point.ts';
import { refuseLogTarget, targetText } from '../restore/recovery-target.ts';
import { chooseSnapshot, labelOf, pointOf, replaysLog, targetOf } from '../restore/restore.ts';
import { sandboxNeed } from '../restore/sandbox-need.ts';
import { onServedCopy } from '../restore/served-copy.ts';
import { withScratch } from '../scratch.ts';
import { damageNote, readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface CompareRequest {
  source: string;
  /** An id or the beginning of one. */
  snapshot?: string;
  /** A moment: RFC 3339, `2h ago` or `latest`. */
  at?: string;
  /** Of a database, only these schemas or tables, as `restore` takes them. */
  only?: readonly string[];
  /** A directory or a database URL, as given; the living source, when left out. */
  with?: string;
  /** The database of a server that runs on a copy of `with`; of a cluster in a directory one is started, when left out. */
  served?: Target;
  /** Where the repository is not the source's own. */
  repository?: string;
  /** How content is asked for that must be. */
  recall?: Partial<RecallOptions>;
}

export interface Compared extends Comparison {
  source: string;
  snapshot: string;
  /** RFC 3339: the moment of the recovery point. */
  time: string;
  /** The other place, fit to be shown; left out for the living source. */
  with?: string;
  /** What was compared, where that was not all. */
  only?: readonly string[];
  equal: boolean;
  durationMs: number;
}

/** Holds the living source, or another place, against a recovery point. It only reads there, and records what it found. */
export async function compare(workspace: Workspace, request: CompareRequest): Promise<Compared> {
  const { clock } = workspace.environment;
  const started = clock.monotonicMs();
  const planned = workspace.sources([request.source])[0]!;
  const place = request.with === undefined ? undefined : targetOf(request.with);
  const other = request.served ?? place;
  if (request.only !== undefined && planned.type !== 'postgres') throw notInParts(planned.name);
  const repository = workspace.repositoryName(request.repository ?? planned.repository);
  const isReplayed = replaysLog(planned, request) && !isOffline(workspace, repository);
  if (!isReplayed) refuseLogTarget(request.at, planned.name);
  const opened = await workspace.openToRead(repository);
  const reading = await Reading.begin(opened, clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    reading.notes.push(...damaged.map(damageNote));
    const point = isReplayed ? await pointOf(workspace, opened, planned, { request, snapshots }) : undefined;
    const snapshot = point?.base ?? chooseSnapshot(snapshots, workspace, request);
    await recallContent(workspace, opened, { snapshots: [snapshot], options: request.recall });
    const { only } = request;
    const asked = { planned, snapshot, point, other, ...(only && { only }) };
    const { compared, differences, notes, time } = await compareWith(workspace, opened, asked);
    const durationMs = clock.monotonicMs() - started;
    const about = {
      source: planned.name,
      snapshot: snapshot.id,
      ...(place && { with: labelOf(place) }),
      ...(only && { only }),
    };
    await reading.record('comparison.finished', {
      ...{ ...about, tree: snapshot.tree, compared },
      ...{ differences: differences.length, durationMs },
      ...(point !== undefined && { log: { target: targetText(point.target), time } }),
    });
    return {
      ...{ ...about, time, equal: differences.length === 0, compared, differences, durationMs },
      notes: [...notes, ...reading.notes],
    };
  } finally {
    await reading.end();
  }
}

interface Asked extends SandboxRequest {
  other: Target | undefined;
  only?: readonly string[];
}

function notInParts(source: string): HoldfastError {
  return new HoldfastError('bad-usage', `--only is for a database of PostgreSQL, and ${source} is none`, {
    hint: 'Leave it out: all of it is compared.',
  });
}

async function compareWith(
  workspace: Workspace,
  opened: OpenedRepository,
  { other, only, ...request }: Asked,
): Promise<Comparison & { time: string }> {
  const { planned, snapshot, point } = request;
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(planned.name);
  const selected = only && { selection: { only } };
  const reader = new Reader(await loadIndex(opened.repository), snapshot);
  try {
    const manifest = await readManifest(reader);
    const withNotes = (comparison: Comparison): Comparison => ({
      ...comparison,
      notes: [...comparison.notes, ...incompleteNotes(manifest)],
    });
    const need = sandboxNeed(planned, manifest);
    const isCluster = need.kind === 'postgres-data';
    if (!isCluster && point === undefined) {
      const source = await workspace.createSource(planned);
      const comparison = await withScratch((scratchDirectory) =>
        source.compare(reader, other, { clock, progress, signal, scratchDirectory, ...selected }),
      );
      return { ...withNotes(comparison), time: snapshot.time };
    }
    if (isCluster && other?.kind === 'directory') {
      const copied = { path: other.path, need };
      return await onServedCopy(workspace, copied, progress, (served) =>
        compareWith(workspace, opened, { ...request, ...(only && { only }), other: served }),
      );
    }
    if (point !== undefined) progress.note(describePoint(point));
    return await inSandbox(workspace, opened, request, { reader, progress }, async (came) => {
      const { source, context, timeMs, recovered } = came;
      const comparison = withNotes(
        await source.compare(reader, other, { ...context, ...selected, sandbox: databaseOf(came) }),
      );
      const replayed = recovered === undefined ? [] : [`its log was replayed: ${recovered.reached}`];
      const time = point === undefined ? snapshot.time : new Date(timeMs).toISOString();
      return { ...comparison, notes: [...replayed, ...comparison.notes], time };
    });
  } finally {
    progress.finish();
    await reader.close();
  }
}

/** What a person should know of a snapshot that does not have everything. */
function incompleteNotes({ problems, only }: Manifest): string[] {
  const partial = `the snapshot is partial: it does not have ${problems.map(({ item }) => item).join(', ')}`;
  const part = `the snapshot has a part of its source, ${only?.join(' ')}: the rest counts as extra`;
  return [...(problems.length > 0 ? [partial] : []), ...(only === undefined ? [] : [part])];
}
