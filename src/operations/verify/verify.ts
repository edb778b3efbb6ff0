import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { ProofRecorded } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { type IndexedRepository, loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { type Check, readManifest } from '../../source/index.ts';
import { Reading } from '../reading.ts';
import { chooseSnapshot } from '../restore/restore.ts';
import { withScratch } from '../scratch.ts';
import { damageNote, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';
import { sandboxNeed } from './need.ts';

/** Grows when a validator checks more than before: a proof says by which it was made. */
export const VALIDATOR_VERSION = 1;

export interface VerifyRequest {
  sources: string[];
  snapshot?: string;
  at?: string;
  pick?: 'latest' | 'random';
}

export interface Proof extends ProofRecorded {
  /** RFC 3339: the moment that was proven. */
  time: string;
  checks: Check[];
  notes: string[];
}

/**
 * Restores each source into a sandbox of its own and validates what came back. What was found is recorded in the ledger,
 * whatever it is.
 */
export async function verify(workspace: Workspace, request: VerifyRequest): Promise<Proof[]> {
  const sources = workspace.sources(request.sources);
  if (request.snapshot !== undefined && sources.length !== 1) {
    throw new HoldfastError('bad-usage', '--snapshot belongs to one source', {
      hint: 'Name the source that the snapshot is of.',
    });
  }
  const proofs: Proof[] = [];
  for (const planned of sources) proofs.push(await verifySource(workspace, planned, request));
  return proofs;
}

async function verifySource(workspace: Workspace, planned: PlanSource, request: VerifyRequest): Promise<Proof> {
  const opened = await workspace.open(planned.repository);
  const reading = await Reading.begin(opened, workspace.environment.clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    reading.notes.push(...damaged.map(damageNote));
    const snapshot = pick(workspace, snapshots, planned, request);
    const proof = await prove(workspace, planned, snapshot, await loadIndex(opened.repository));
    const { checks: _checks, notes, time: _time, ...event } = proof;
    await reading.record('proof.recorded', event);
    return { ...proof, notes: [...notes, ...reading.notes] };
  } finally {
    await reading.end();
  }
}

function pick(
  workspace: Workspace,
  snapshots: StoredSnapshot[],
  planned: PlanSource,
  request: VerifyRequest,
): StoredSnapshot {
  const own = snapshotsOf(snapshots, workspace.plan.name, planned.name);
  if (request.pick === 'random' && own.length > 0) return own[Math.floor(Math.random() * own.length)]!;
  return chooseSnapshot(snapshots, workspace, { source: planned.name, ...request });
}

async function prove(
  workspace: Workspace,
  planned: PlanSource,
  snapshot: StoredSnapshot,
  indexed: IndexedRepository,
): Promise<Proof> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(planned.name);
  const started = clock.monotonicMs();
  const reader = new Reader(indexed, snapshot);
  const base = {
    source: planned.name,
    snapshot: snapshot.id,
    tree: snapshot.tree,
    validatorVersion: VALIDATOR_VERSION,
    time: snapshot.time,
  };
  let restoredMs = 0;
  let bytes = 0;
  const conclude = (checks: Check[], notes: string[], reason?: string): Proof => {
    const durationMs = clock.monotonicMs() - started;
    const failed = checks.filter(({ result }) => result === 'failed').map(({ name }) => name);
    const unprovable = reason !== undefined || checks.some(({ result }) => result === 'not-provable');
    return {
      ...base,
      state: failed.length > 0 ? 'failed' : unprovable ? 'not-provable' : 'proven',
      durationMs,
      restoreMs: restoredMs,
      validateMs: durationMs - restoredMs,
      bytes,
      checksPassed: checks.filter(({ result }) => result === 'passed').length,
      checksFailed: failed,
      checks,
      notes,
      ...(reason !== undefined && { reason }),
    };
  };
  const sandbox = await workspace.environment.adapters.createSandbox({ clock, signal });
  try {
    const manifest = await readManifest(reader);
    const source = await workspace.createSource(planned);
    const place = await sandbox.open(sandboxNeed(planned, manifest), progress);
    try {
      return await withScratch(async (scratchDirectory) => {
        const context = { clock, progress, signal, scratchDirectory };
        const restored = await source.restore(reader, place.target, context);
        const served = (await place.serve?.())?.target ?? place.target;
        restoredMs = clock.monotonicMs() - started;
        bytes = restored.bytes;
        const problems: Check[] = restored.problems.map(({ path, message }) => ({
          name: `restore ${path}`,
          result: 'failed',
          detail: message,
        }));
        const checks = await source.validate(reader, served, { ...context, timeMs: snapshotTimeMs(snapshot) });
        return conclude([...problems, ...checks], [...place.notes, ...restored.notes]);
      });
    } finally {
      await place.close();
    }
  } catch (error) {
    if (isHoldfastError(error, 'not-provable')) return conclude([], [], error.message);
    // A snapshot that does not restore is what this is there to find: it is a failed proof, not a failed command.
    if (isHoldfastError(error) && FAILS_PROOF.has(error.code) && !signal.aborted) {
      return conclude([{ name: 'restore', result: 'failed', detail: error.message }], []);
    }
    throw error;
  } finally {
    progress.finish();
    await reader.close();
  }
}

/** Errors that tell of the snapshot, not of this machine. */
const FAILS_PROOF: ReadonlySet<string> = new Set([
  'repository-damaged',
  'object-missing',
  'target-failed',
  'program-failed',
]);
