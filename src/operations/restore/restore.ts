import { resolve } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import {
  findSnapshot,
  loadIndex,
  notesOf,
  Reader,
  type Selection,
  type StoredSnapshot,
} from '../../repository/index.ts';
import { type RestoreContext, type Restored, readManifest } from '../../source/index.ts';
import { Reading } from '../reading.ts';
import { withScratch } from '../scratch.ts';
import {
  damageNote,
  isPartial,
  isWal,
  newestSnapshot,
  parseMoment,
  readableSnapshots,
  snapshotsOf,
  sourceOf,
} from '../snapshots-of.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { prepareRecovery, type Recovered, type Unrecovered } from './recover.ts';
import { describePoint, findWantedPoint, momentOf, type RecoveryPoint } from './recovery-point.ts';
import { refuseLogTarget, targetText } from './recovery-target.ts';
import { type Replacement, refuseReplacing, refuseReplacingOrigin } from './replace.ts';

export interface RestoreRequest extends Replacement {
  /** A source of the plan; left out, the snapshot is taken as it is, whoever wrote it. */
  source?: string;
  /** An id or the beginning of one. */
  snapshot?: string;
  /** A moment: RFC 3339, `2h ago` or `latest`; of a source with a log, also a position in it: see `parseRecoveryTarget`. */
  at?: string;
  /** A directory or a database URL, as given. */
  to: string;
  /** What is wanted: files by their paths, or of a database schemas and tables; everything, when left out. */
  selection?: Selection;
  /** Where the repository is not the source's own, or there is no source. */
  repository?: string;
}

/** Of a dry run: what would be restored, and in `surplus` what would be removed. */
export interface RestoreResult extends Restored {
  source?: string;
  snapshot: string;
  /** RFC 3339: the moment that was restored. */
  time: string;
  target: string;
  durationMs: number;
  outcome: 'complete' | 'partial';
  /** Whether the target might hold something, which is gone then. */
  replaced?: boolean;
  /** How far the log was replayed on the backup, where it was. */
  recovered?: { to: string; lastTransaction?: string };
  /** What is still to be done, where no server of this machine could replay the log. */
  unrecovered?: { to: string; log: string; next: string };
}

/** Brings a snapshot, or a part of it, back to a place that is empty or new, or that the same restore was interrupted in, or that is to be replaced. */
export async function restore(workspace: Workspace, request: RestoreRequest): Promise<RestoreResult> {
  const { clock, signal } = workspace.environment;
  const started = clock.monotonicMs();
  const planned = request.source === undefined ? undefined : workspace.sources([request.source])[0]!;
  const selection = selectionOf(request, planned);
  const target = targetOf(request.to);
  const { replace = false, dryRun = false } = request;
  await refuseReplacing(workspace, request, { target, planned });
  const isReplayed = replaysLog(planned, request, target);
  if (!isReplayed) refuseLogTarget(request.at, planned?.name);
  const opened = await workspace.open(workspace.repositoryName(request.repository ?? planned?.repository));
  const reading = await Reading.begin(opened, clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    reading.notes.push(...damaged.map(damageNote));
    const point = isReplayed ? await pointOf(workspace, opened, planned!, { request, snapshots }) : undefined;
    const snapshot = point?.base ?? chooseSnapshot(snapshots, workspace, request);
    if (replace) refuseReplacingOrigin(target, snapshot.paths);
    if (replace && isPartial(snapshot))
      reading.notes.push('the snapshot is partial: it lacks what could not be read then');
    const about = {
      ...(planned && { source: planned.name }),
      snapshot: snapshot.id,
      target: labelOf(target),
      ...(replace && !dryRun && { replaced: true }),
    };
    const how = { ...(selection && { selection }), replace, dryRun };
    const restored = await restoreSnapshot(workspace, opened, { planned, snapshot, point, target, how }).catch(
      async (error: unknown) => {
        const { code, message } = reportable(error, signal);
        const durationMs = clock.monotonicMs() - started;
        if (!dryRun) await reading.record('restore.failed', { ...about, code, message, durationMs });
        throw error;
      },
    );
    const outcome = restored.problems.length === 0 ? 'complete' : 'partial';
    const durationMs = clock.monotonicMs() - started;
    if (!dryRun) await reading.record('restore.finished', { ...about, bytes: restored.bytes, durationMs, outcome });
    return {
      ...about,
      ...restored,
      notes: [...restored.notes, ...reading.notes],
      time:
        point === undefined || restored.unrecovered !== undefined
          ? snapshot.time
          : new Date(momentOf(point, restored.recovered)).toISOString(),
      durationMs,
      outcome,
    };
  } finally {
    await reading.end();
  }
}

/** @throws unknown-snapshot, bad-usage */
export function chooseSnapshot(
  snapshots: StoredSnapshot[],
  workspace: Workspace,
  { source, snapshot, at }: Pick<RestoreRequest, 'source' | 'snapshot' | 'at'>,
): StoredSnapshot {
  if (snapshot !== undefined && at !== undefined) {
    throw new HoldfastError('bad-usage', '--snapshot and --at exclude each other', { hint: 'Give one of the two.' });
  }
  if (snapshot !== undefined && snapshot !== 'latest') {
    const found = findSnapshot(snapshots, snapshot);
    if (source !== undefined && sourceOf(found) !== source) {
      throw new HoldfastError('bad-usage', `snapshot ${found.id.slice(0, 8)} is not of ${source}`, {
        hint: `List the snapshots of ${source} with \`holdfast snapshots ${source}\`.`,
      });
    }
    if (source !== undefined && isWal(found)) {
      throw new HoldfastError('bad-usage', `snapshot ${found.id.slice(0, 8)} holds a part of the log of ${source}`, {
        hint: 'By itself it is no recovery point. Choose one with the tag `kind:base`; the segments themselves come with `holdfast restore --snapshot ID --to DIRECTORY`.',
      });
    }
    return found;
  }
  const candidates =
    source === undefined
      ? snapshots.filter((each) => !isWal(each))
      : snapshotsOf(snapshots, workspace.plan.name, source);
  return newestSnapshot(
    candidates,
    source ?? 'the repository',
    parseMoment(at ?? 'latest', workspace.environment.clock.nowMs()),
  );
}

async function restoreSnapshot(
  workspace: Workspace,
  opened: OpenedRepository,
  {
    planned,
    snapshot,
    point,
    target,
    how,
  }: {
    planned: PlanSource | undefined;
    snapshot: StoredSnapshot;
    point: RecoveryPoint | undefined;
    target: Target;
    how: Pick<RestoreContext, 'selection' | 'replace' | 'dryRun'>;
  },
): Promise<Restored & Outcome> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(planned?.name ?? snapshot.id.slice(0, 8));
  const reader = new Reader(await loadIndex(opened.repository), snapshot);
  try {
    if (planned !== undefined) {
      const source = await workspace.createSource(planned);
      if (point !== undefined) progress.note(describePoint(point));
      const isReplayed = point !== undefined;
      const context = { clock, progress, signal, isReplayed, ...how };
      const write = (recoverySettings?: Readonly<Record<string, string>>): Promise<Restored> =>
        withScratch((scratchDirectory) =>
          source.restore(reader, target, {
            ...context,
            scratchDirectory,
            ...(recoverySettings && { recoverySettings }),
          }),
        );
      // A dry run starts no server: what is there is not touched.
      if (point === undefined || target.kind !== 'directory' || how.dryRun === true) return await write();
      const manifest = await readManifest(reader);
      const replayed = { planned, manifest, point, path: target.path };
      await using recovery = await prepareRecovery(workspace, opened, replayed, progress);
      const restored = await write(recovery.settings);
      const ended = await recovery.run();
      return 'reached' in ended
        ? withRecovery(restored, point, ended)
        : withoutRecovery(restored, point, target.path, ended);
    }
    if (target.kind !== 'directory') {
      throw new HoldfastError('bad-usage', 'a snapshot can be restored to a database only as the source it is of', {
        hint: 'Name the source: `holdfast restore SOURCE --snapshot ID --to URL`.',
      });
    }
    const extracted = await reader.extract(target.path, { progress, signal, ...how });
    const { bytes, files, directories, others, problems, surplus } = extracted;
    const items = files + directories + others;
    return { bytes, items, notes: notesOf(extracted), problems, ...(surplus && { surplus }) };
  } finally {
    progress.finish();
    await reader.close();
  }
}

/** @throws bad-usage */
function selectionOf({ selection }: RestoreRequest, planned: PlanSource | undefined): Selection | undefined {
  if (selection?.exclude !== undefined && planned?.type === 'postgres') {
    throw new HoldfastError('bad-usage', `--exclude is for files, and ${planned.name} is a database`, {
      hint: 'Name what you want of it with `--only schema` or `--only schema.table`.',
    });
  }
  return selection;
}

type Outcome = Pick<RestoreResult, 'recovered' | 'unrecovered'>;

function withRecovery(
  restored: Restored,
  { target }: RecoveryPoint,
  { reached, lastTransaction }: Recovered,
): Restored & Outcome {
  const last = lastTransaction === undefined ? '' : `; its last transaction was at ${lastTransaction}`;
  return {
    ...restored,
    notes: [`its log was replayed: ${reached}${last}`, ...restored.notes],
    recovered: { to: targetText(target), ...(lastTransaction !== undefined && { lastTransaction }) },
  };
}

/** What was asked for is not there yet: that is no complete restore. */
function withoutRecovery(
  restored: Restored,
  { target }: RecoveryPoint,
  path: string,
  { reason, log, next }: Unrecovered,
): Restored & Outcome {
  const to = targetText(target);
  const notes = [
    `NOT RECOVERED: ${path} is the backup, and its log until ${to} is in ${log}; the first server that starts there replays it`,
    next,
    'it has come to the target once its log says so and `SELECT pg_is_in_recovery()` gives false; a failure to start is one of the recovery',
  ];
  if (target.kind === 'time' || target.kind === 'lsn') {
    notes.push(
      `should it say that recovery ended before the target was reached, nothing was committed behind the last of the log: take the line of recovery_target_${target.kind} out of ${path}/postgresql.auto.conf, and start it again`,
    );
  }
  const problem = { path, message: `its log was not replayed: ${reason}` };
  return {
    ...restored,
    notes: [...notes, ...restored.notes],
    problems: [...restored.problems, problem],
    unrecovered: { to, log, next },
  };
}

/** Whether what is wanted is more than one backup. `--snapshot` alone takes that backup as it is. */
function replaysLog(
  planned: PlanSource | undefined,
  { at, snapshot, selection }: RestoreRequest,
  target: Target,
): boolean {
  if (planned?.type !== 'postgres' || planned.wal !== 'stream') return false;
  return target.kind === 'directory' && selection === undefined && (at !== undefined || snapshot === undefined);
}

function pointOf(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { request, snapshots }: { request: RestoreRequest; snapshots: StoredSnapshot[] },
): Promise<RecoveryPoint> {
  const { at = 'latest', snapshot } = request;
  const chosen =
    snapshot === undefined ? undefined : chooseSnapshot(snapshots, workspace, { source: planned.name, snapshot });
  return findWantedPoint(workspace, opened, planned, { at, chosen });
}

/** @param to as given on the command line; a path is relative to the working directory */
export function targetOf(to: string): Target {
  if (/^postgres(ql)?:\/\//.test(to)) return { kind: 'database', url: to, label: withoutSecrets(to), sandbox: false };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(to) && !to.startsWith('file://')) {
    throw new HoldfastError('bad-usage', 'the target is neither a directory nor the URL of a PostgreSQL database');
  }
  return { kind: 'directory', path: resolve(to.replace(/^file:\/\//, '')) };
}

function labelOf(target: Target): string {
  return target.kind === 'directory' ? target.path : target.label;
}

/** A URL that may be shown. */
function withoutSecrets(url: string): string {
  try {
    const parsed = new URL(url);
    parsed.password = '';
    parsed.search = '';
    return parsed.toString();
  } catch {
    // What is no URL may hold anything.
    return 'the database given';
  }
}
