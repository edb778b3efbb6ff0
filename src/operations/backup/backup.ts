import type { ErrorCode, HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater, sideBySide } from '../../foundation/promises.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import {
  type HeldLock,
  type IndexedRepository,
  loadIndex,
  lockRepository,
  type StoredSnapshot,
  startWorkersAhead,
} from '../../repository/index.ts';
import type { Source } from '../../source/index.ts';
import { damageNote, parentsOf } from '../snapshots-of.ts';
import { notRecorded } from '../unrecorded.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { type BackupOfSource, backupSource } from './backup-source.ts';

export type SourceOutcome =
  | ({ outcome: 'complete' | 'partial'; notes: string[] } & BackupOfSource)
  | { outcome: 'failed'; source: string; durationMs: number; error: HoldfastError };

/** How many sources of a repository are captured at the same time: each keeps all processors busy by itself. */
const SIDE_BY_SIDE = 2;

export interface BackupOptions {
  /** A part of each, in the patterns that its restore takes; everything, when left out. */
  only?: readonly string[];
  /** See `CaptureContext`. */
  readAll?: boolean;
  /** All of them begin at once, and get this tag. */
  together?: { tag: string };
}

/** Backs up these sources, or all: side by side, each on its own. One that fails does not stop the others. */
export async function backup(
  workspace: Workspace,
  names: readonly string[],
  options: BackupOptions = {},
): Promise<SourceOutcome[]> {
  const sources = workspace.sources(names);
  const repositories = [...new Set(sources.map(({ repository }) => repository))];
  const outcomes = await Promise.all(
    repositories.map((name) =>
      backupTo(
        workspace,
        name,
        sources.filter(({ repository }) => repository === name),
        options,
      ),
    ),
  );
  const byName = new Map(outcomes.flat().map((outcome) => [outcome.source, outcome]));
  return sources.map(({ name }) => byName.get(name)!);
}

/** Everything of one repository under one lock, with one loaded index. */
async function backupTo(
  workspace: Workspace,
  name: string,
  sources: PlanSource[],
  { only, readAll, together }: BackupOptions,
): Promise<SourceOutcome[]> {
  const { clock } = workspace.environment;
  const startedMs = clock.monotonicMs();
  let lock: HeldLock | undefined;
  try {
    const created = new Map<PlanSource, Promise<Source>>();
    const create = (source: PlanSource): Promise<Source> => {
      const coming = created.get(source) ?? awaitedLater(workspace.createSource(source));
      created.set(source, coming);
      return coming;
    };
    const meanwhile = (): void => {
      startWorkersAhead();
      for (const source of sources) void create(source);
    };
    const opened = await workspace.open(name, { meanwhile, willLock: true });
    lock = await lockRepository(opened.repository, { exclusive: false, clock });
    const names = sources.map((source) => source.name);
    const [{ bySource, damaged }, indexed] = await Promise.all([
      parentsOf(opened.repository, workspace.plan.name, names),
      loadIndex(opened.repository),
    ]);
    const shared = {
      opened,
      lock,
      indexed,
      parents: bySource,
      ...(only && { only }),
      ...(readAll !== undefined && { readAll }),
      ...(together && { tag: together.tag }),
      notes: damaged.map(damageNote),
    };
    return await sideBySide(sources, together === undefined ? SIDE_BY_SIDE : sources.length, (source) =>
      backupOne(workspace, { planned: source, coming: create(source) }, shared),
    );
  } catch (thrown) {
    const reported = reportable(thrown, workspace.environment.signal);
    const durationMs = clock.monotonicMs() - startedMs;
    const error = await recordAway(workspace, name, sources, { error: reported, durationMs });
    return sources.map(({ name: source }) => ({ outcome: 'failed', source, durationMs, error }));
  } finally {
    await lock?.release();
  }
}

/** A disk that is not mounted has no repository. */
const AWAY: readonly ErrorCode[] = ['store-unreachable', 'store-failed', 'no-bucket', 'no-repository'];

/**
 * Records that a repository was away, which waits on this machine until it is back.
 * @returns the error, which also says so where this was not possible
 */
async function recordAway(
  workspace: Workspace,
  repository: string,
  sources: readonly PlanSource[],
  { error, durationMs }: { error: HoldfastError; durationMs: number },
): Promise<HoldfastError> {
  if (!AWAY.includes(error.code) || workspace.environment.stateDirectory === undefined) return error;
  const { code, message } = error;
  const events = sources.map(({ name: source }) => ({
    kind: 'backup.failed' as const,
    body: { source, code, message, durationMs },
  }));
  try {
    await workspace.recorder(repository).recordAll(events);
    return error;
  } catch (thrown) {
    return notRecorded(error, reportable(thrown, workspace.environment.signal));
  }
}

interface Shared {
  opened: OpenedRepository;
  lock: HeldLock;
  indexed: IndexedRepository;
  /** What each source's backup builds on. */
  parents: Map<string, StoredSnapshot>;
  /** A part of each; everything, when left out. */
  only?: readonly string[];
  /** See `CaptureContext`. */
  readAll?: boolean;
  /** What each snapshot gets, beside its usual tags. */
  tag?: string;
  /** What everybody should know who backs up to this repository. */
  notes: string[];
}

async function backupOne(
  workspace: Workspace,
  { planned, coming }: { planned: PlanSource; coming: Promise<Source> },
  shared: Shared,
): Promise<SourceOutcome> {
  const { clock, signal } = workspace.environment;
  const startedMs = clock.monotonicMs();
  try {
    const done = await backupSource(workspace, { planned, source: await coming }, shared);
    return { outcome: done.problems.length === 0 ? 'complete' : 'partial', ...done, notes: shared.notes };
  } catch (error) {
    const reported = reportable(error, signal);
    const durationMs = clock.monotonicMs() - startedMs;
    await workspace.recorder(shared.opened.name).record('backup.failed', {
      source: planned.name,
      code: reported.code,
      message: reported.message,
      durationMs,
      ...(shared.only && { only: shared.only }),
    });
    return { outcome: 'failed', source: planned.name, durationMs, error: reported };
  }
}
