import { snapshotTimeMs } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { ProofRecorded } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import type { SandboxTarget } from '../../sandbox/index.ts';
import { type Check, type Restored, readManifest, type Validation } from '../../source/index.ts';
import { LogReplay, type Recovered } from '../restore/recover.ts';
import { describePoint, momentOf, type RecoveryPoint } from '../restore/recovery-point.ts';
import { targetText } from '../restore/recovery-target.ts';
import { withScratch } from '../scratch.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { sandboxNeed } from './need.ts';

/** Grows when a validator checks more than before: a proof says by which it was made. */
export const VALIDATOR_VERSION = 2;

export interface Proof extends ProofRecorded {
  /** RFC 3339: the moment that was proven. */
  time: string;
  checks: Check[];
  notes: string[];
}

/** What is to be proven: a snapshot by itself, or a point that the log behind it leads to. */
export interface Provable {
  planned: PlanSource;
  snapshot: StoredSnapshot;
  point?: RecoveryPoint | undefined;
}

/** What came back, and what was found there. */
interface Found {
  restored: Restored;
  validation: Validation;
  placeNotes: string[];
  recovered: Recovered | undefined;
  restoreMs: number;
  /** The moment that was proven: of a log by the server's clock. */
  timeMs: number;
}

/** Restores what is to be proven into a sandbox, and validates what came back. */
export async function prove(
  workspace: Workspace,
  { repository }: OpenedRepository,
  provable: Provable,
): Promise<Proof> {
  const { clock, signal } = workspace.environment;
  const { planned, snapshot, point } = provable;
  const progress = workspace.environment.progress(planned.name);
  const started = clock.monotonicMs();
  const reader = new Reader(await loadIndex(repository), snapshot);
  const conclude = (result: Partial<Found>, checks: Check[], reason?: string): Proof =>
    proofOf(provable, result, { checks, reason, durationMs: clock.monotonicMs() - started });
  try {
    if (point !== undefined) progress.note(describePoint(point));
    const found = await restoreAndValidate(workspace, { repository, ...provable }, reader, progress);
    const problems = found.restored.problems.map(
      ({ path, message }): Check => ({ name: `restore ${path}`, result: 'failed', detail: message }),
    );
    return conclude(found, [...problems, ...found.validation.checks]);
  } catch (error) {
    if (isHoldfastError(error, 'not-provable')) return conclude({}, [], error.message);
    // A snapshot that does not restore is what this is there to find: it is a failed proof, not a failed command.
    if (isHoldfastError(error) && FAILS_PROOF.has(error.code) && !signal.aborted) {
      return conclude({}, [{ name: 'restore', result: 'failed', detail: error.message }]);
    }
    throw error;
  } finally {
    progress.finish();
    await reader.close();
  }
}

async function restoreAndValidate(
  workspace: Workspace,
  { planned, snapshot, point, repository }: Provable & Pick<OpenedRepository, 'repository'>,
  reader: Reader,
  progress: Progress,
): Promise<Found> {
  const { clock, signal, adapters } = workspace.environment;
  const started = clock.monotonicMs();
  const manifest = await readManifest(reader);
  const source = await workspace.createSource(planned);
  const replay =
    point === undefined ? undefined : new LogReplay(workspace, { repository }, { planned, point }, progress);
  const sandbox = await adapters.createSandbox({ clock, signal });
  try {
    const recovery = replay && { recovery: replay.recovery };
    const place = await sandbox.open({ ...sandboxNeed(planned, manifest), ...recovery }, progress);
    try {
      return await withScratch(async (scratchDirectory) => {
        const context = { clock, progress, signal, scratchDirectory, isReplayed: point !== undefined };
        const restored = await source.restore(reader, place.target, context);
        const { target, recovered } = await served(place, replay);
        const restoreMs = clock.monotonicMs() - started;
        const timeMs = point === undefined ? snapshotTimeMs(snapshot) : momentOf(point, recovered);
        // A moment that a log leads to is by the server's clock, and a recovery point by ours.
        const aheadMs = point === undefined ? 0 : (manifest.clockOffsetMs ?? 0);
        const validation = await source.validate(reader, target, { ...context, timeMs: timeMs - aheadMs });
        return { restored, validation, placeNotes: place.notes, recovered, restoreMs, timeMs };
      });
    } finally {
      await place.close();
    }
  } finally {
    await replay?.close();
  }
}

async function served(
  place: SandboxTarget,
  replay: LogReplay | undefined,
): Promise<Pick<SandboxTarget, 'target'> & { recovered?: Recovered }> {
  if (replay === undefined) return { target: (await place.serve?.())?.target ?? place.target };
  const recovered = await replay.run(place);
  return { target: recovered.target, recovered };
}

function proofOf(
  { planned, snapshot, point }: Provable,
  { restored, validation, placeNotes = [], recovered, restoreMs = 0, timeMs }: Partial<Found>,
  { checks, reason, durationMs }: { checks: Check[]; reason: string | undefined; durationMs: number },
): Proof {
  const failed = checks.filter(({ result }) => result === 'failed').map(({ name }) => name);
  const unprovable = reason !== undefined || checks.some(({ result }) => result === 'not-provable');
  const momentMs = timeMs ?? (point && intendedMs(point));
  const time = momentMs === undefined ? snapshot.time : new Date(momentMs).toISOString();
  const replayed = recovered === undefined ? [] : [`its log was replayed: ${recovered.reached}`];
  return {
    source: planned.name,
    snapshot: snapshot.id,
    tree: snapshot.tree,
    validatorVersion: VALIDATOR_VERSION,
    state: failed.length > 0 ? 'failed' : unprovable ? 'not-provable' : 'proven',
    durationMs,
    restoreMs,
    validateMs: durationMs - restoreMs,
    bytes: restored?.bytes ?? 0,
    checksPassed: checks.filter(({ result }) => result === 'passed').length,
    checksFailed: failed,
    ...(reason !== undefined && { reason }),
    ...(point !== undefined && { log: { target: targetText(point.target), ...(momentMs !== undefined && { time }) } }),
    ...(validation?.counts !== undefined && { counts: validation.counts }),
    time: point === undefined ? snapshot.time : time,
    checks,
    notes: [...replayed, ...placeNotes, ...(restored?.notes ?? []), ...(validation?.notes ?? [])],
  };
}

/** The moment that was to be proven, where it is known without having come there. */
function intendedMs({ target, coveredUntilMs }: RecoveryPoint): number | undefined {
  if (target.kind === 'time') return target.timeMs;
  return target.kind === 'latest' ? coveredUntilMs : undefined;
}

/** Errors that tell of the snapshot, not of this machine. */
const FAILS_PROOF: ReadonlySet<string> = new Set([
  'repository-damaged',
  'object-missing',
  'target-failed',
  'program-failed',
]);
