import { hostname } from 'node:os';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { ProofRecorded } from '../../ledger/index.ts';
import { loadIndex, Reader } from '../../repository/index.ts';
import type { Check, Restored, Validation } from '../../source/index.ts';
import { type InSandbox, inSandbox, type SandboxRequest } from '../restore/in-sandbox.ts';
import { describePoint, type RecoveryPoint } from '../restore/recovery-point.ts';
import { targetText } from '../restore/recovery-target.ts';
import { isPart } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/** Grows when a validator checks more than before: a proof says by which it was made. */
export const VALIDATOR_VERSION = 2;

export interface Proof extends ProofRecorded {
  /** RFC 3339: the moment that was proven. */
  time: string;
  checks: Check[];
  notes: string[];
}

/** What came back, and what was found there. */
interface Found extends Pick<InSandbox, 'restored' | 'placeNotes' | 'recovered' | 'restoreMs' | 'timeMs' | 'kept'> {
  validation: Validation;
}

/**
 * Restores what is to be proven into a sandbox, and validates what came back.
 * @param hold is given what came back once it was validated: the sandbox is there until it resolves, which counts for nothing
 */
export async function prove(
  workspace: Workspace,
  { repository }: OpenedRepository,
  provable: SandboxRequest,
  hold: (came: InSandbox) => Promise<void> = async () => {},
): Promise<Proof> {
  const { clock, signal } = workspace.environment;
  const { planned, snapshot, point } = provable;
  const progress = workspace.environment.progress(planned.name);
  const started = clock.monotonicMs();
  const reader = new Reader(await loadIndex(repository), snapshot);
  let heldMs = 0;
  const validated = async (came: InSandbox): Promise<Found> => {
    const { source, target, context, manifest, timeMs } = came;
    // A moment that a log leads to is by the server's clock, and a recovery point by ours.
    const aheadMs = point === undefined ? 0 : (manifest.clockOffsetMs ?? 0);
    const validation = await source.validate(reader, target, { ...context, timeMs: timeMs - aheadMs });
    const heldFromMs = clock.monotonicMs();
    await hold(came);
    heldMs = clock.monotonicMs() - heldFromMs;
    return { ...came, validation };
  };
  const conclude = (result: Partial<Found>, checks: Check[], reason?: string): Proof =>
    proofOf(provable, result, { checks, reason, durationMs: clock.monotonicMs() - started - heldMs });
  try {
    if (point !== undefined) progress.note(describePoint(point));
    const found = await inSandbox(workspace, { repository }, provable, { reader, progress }, validated);
    return conclude(found, [...problemChecks(found.restored), ...found.validation.checks]);
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

const NAMED_PROBLEMS = 20;

/** What was restored but not as it was, or not at all: a proof is kept for years, and need not name each of many thousands. */
function problemChecks({ problems }: Restored): Check[] {
  const failed = (name: string, detail: string): Check => ({ name, result: 'failed', detail });
  const named = problems.slice(0, NAMED_PROBLEMS).map(({ path, message }) => failed(`restore ${path}`, message));
  const more = problems.length - named.length;
  return more > 0 ? [...named, failed('restore', `and ${more.toLocaleString('en')} more like these`)] : named;
}

function proofOf(
  { planned, snapshot, point }: SandboxRequest,
  { restored, validation, placeNotes = [], recovered, restoreMs = 0, timeMs, kept }: Partial<Found>,
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
    ...(isPart(snapshot) && { part: true as const }),
    state: failed.length > 0 ? 'failed' : unprovable ? 'not-provable' : 'proven',
    durationMs,
    restoreMs,
    validateMs: durationMs - restoreMs,
    bytes: restored?.bytes ?? 0,
    checksPassed: checks.filter(({ result }) => result === 'passed').length,
    checksFailed: failed,
    ...(reason !== undefined && { reason }),
    ...(point !== undefined && { log: { target: targetText(point.target), ...(momentMs !== undefined && { time }) } }),
    ...(kept !== undefined && { kept: { ...kept, host: hostname() } }),
    ...(validation?.counts !== undefined && { counts: validation.counts }),
    time: point === undefined ? snapshot.time : time,
    checks,
    notes: [...keptNotes(kept), ...replayed, ...placeNotes, ...(restored?.notes ?? []), ...(validation?.notes ?? [])],
  };
}

function keptNotes(kept: InSandbox['kept']): string[] {
  return kept === undefined ? [] : [`what came back stays until ${kept.until}: ${kept.place}`];
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
  'object-unreadable',
  'target-failed',
  'program-failed',
]);
