import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { type CheckReport, checkRepository, listTails, type Subset, selectPacks } from '../../repository/index.ts';
import { eachRepository, type OfRepositories } from '../attempt-each.ts';
import { decidingEvents, endOfLastShare } from '../deciding-events.ts';
import { openRepaired } from '../mirrors/heal-opening.ts';
import type { Healing } from '../mirrors/healed-object.ts';
import { copiesOf, healRepository } from '../mirrors/healing.ts';
import { checkLock } from '../object-lock/check-lock.ts';
import { lockPolicyOf } from '../object-lock/lock-scope.ts';
import { revealHidden } from '../object-lock/reveal-hidden.ts';
import { Reading } from '../reading.ts';
import { isWal, readableSnapshots, sourceOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { checkAcknowledged } from './check-acknowledged.ts';
import { type CheckedLog, checkLog } from './check-log.ts';

export interface CheckOfRepository extends CheckReport {
  repository: string;
  clean: boolean;
  /** What a person should know: that it could not be recorded, for example. */
  notes: string[];
  /** What was put back from another copy before the check. */
  healed: Healing[];
  /** What was read of the newest part of logs: all that there is, whatever the level. */
  tail: { objects: number; bytes: number };
  /** Of a repository whose locks were looked at: objects that are needed, and those whose lock is as it should be. */
  lock?: { needed: number; covered: number };
  durationMs: number;
}

export interface CheckRequest {
  /** All repositories of the plan, when there is none. */
  repositories: readonly string[];
  readData: boolean;
  /** With `readData`: only a part of the packs; `text` is how it was written. */
  subset?: Subset & { text: string };
  readHeaders: boolean;
  /** Whether everything is read first, and what is damaged or missing is put back from another copy. */
  repair?: boolean;
  /** Whether the store is asked for the lock of each object, where the plan has them locked. */
  lock?: boolean;
}

/**
 * Checks repositories and records what was found.
 * @throws bad-usage where locks are asked for and nothing is locked; what keeps all from being checked, where that is of one kind
 */
export async function check(workspace: Workspace, request: CheckRequest): Promise<OfRepositories<CheckOfRepository>> {
  const { repositories } = request;
  const names = repositories.length > 0 ? repositories : [...workspace.plan.repositories.keys()];
  if (request.lock === true && names.every((name) => lockPolicyOf(workspace, name) === undefined)) {
    throw new HoldfastError('bad-usage', `the plan has nothing locked in ${names.join(', ')}`, {
      hint: 'Give a repository in a bucket the key `lock`, such as `lock: { mode: governance, for: 30d }`.',
    });
  }
  if (workspace.environment.asOfMs !== undefined && (request.lock === true || request.repair === true)) {
    throw new HoldfastError('bad-usage', 'what a repository was can be neither repaired nor asked for its locks');
  }
  return eachRepository(workspace, names, (name) => checkOne(workspace, name, request));
}

async function checkOne(workspace: Workspace, name: string, request: CheckRequest): Promise<CheckOfRepository> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(name);
  const started = clock.monotonicMs();
  const { opened, healed: opening } =
    request.repair === true
      ? await openRepaired(workspace, name)
      : { opened: await workspace.openToRead(name, { uncached: true }), healed: [] };
  const reading = await Reading.begin(opened, clock, { whole: true });
  try {
    const { readData, readHeaders, subset } = request;
    const after = subset?.kind === 'share' ? await beginOfShare(opened, reading.notes) : undefined;
    let readUntil: string | undefined;
    reading.notes.push(...opening.map(({ note }) => note));
    const healed =
      request.repair === true
        ? [...opening, ...(await repairFirst(workspace, opened, { progress, notes: reading.notes }))]
        : [];
    // What is looked for is what is wrong, and not what could be had from elsewhere.
    const repository = opened.repository.healedBy(undefined);
    const report = await checkRepository(repository, {
      readData,
      readHeaders,
      signal,
      progress,
      ...(subset !== undefined && {
        select: (packs) => {
          const selected = selectPacks(packs, subset, after);
          if (subset.kind === 'share') readUntil = selected.at(-1)?.id;
          return selected;
        },
      }),
    });
    progress.phase('checking logs');
    const { findings, ...tail } = await checkLogs({ ...opened, repository }, reading.notes);
    // What could not be read any more is no damage.
    signal.throwIfAborted();
    report.findings.push(...findings);
    report.findings.push(...(await checkAcknowledged(workspace, { ...opened, repository }, reading.notes)));
    const lock = await checkLock(workspace, { ...opened, repository }, { lock: request.lock === true, progress });
    report.findings.push(...(lock?.findings ?? []));
    const errors = report.findings.filter(({ severity }) => severity === 'error').length;
    const durationMs = clock.monotonicMs() - started;
    await reading.record('check.finished', {
      repository: name,
      readData,
      ...(subset !== undefined && { subset: subset.text }),
      ...(readUntil !== undefined && { readUntil }),
      clean: errors === 0,
      errors,
      durationMs,
    });
    return {
      ...{ ...report, healed, tail, repository: name, clean: errors === 0, durationMs, notes: reading.notes },
      ...(lock?.asked && { lock: lock.asked }),
    };
  } finally {
    progress.finish();
    await reading.end();
  }
}

async function repairFirst(
  workspace: Workspace,
  opened: OpenedRepository,
  { progress, notes }: { progress: Progress; notes: string[] },
): Promise<Healing[]> {
  const revealed = await revealHidden(workspace, opened, progress);
  if (revealed.length === 0 && copiesOf(workspace, opened.name).length === 0) {
    notes.push(
      'nothing could be put back: the plan names no mirror; `holdfast repair` mends what can be mended without',
    );
  }
  const healed = [...revealed, ...(await healRepository(workspace, opened, progress))];
  notes.push(...healed.map(({ note }) => note));
  return healed;
}

/** Everybody's logs, in snapshots and beside them. */
async function checkLogs({ repository, ledger }: OpenedRepository, notes: string[]): Promise<CheckedLog> {
  const snapshots = async () => (await readableSnapshots(repository)).snapshots;
  const { owners, strangers } = await listTails(repository);
  for (const snapshot of (await snapshots()).filter(isWal)) {
    const [plan, source] = [snapshot.hostname, sourceOf(snapshot)];
    if (source !== undefined && !owners.some((owner) => owner.plan === plan && owner.source === source)) {
      owners.push({ plan, source });
    }
  }
  const events = async (): Promise<LedgerEvent[]> => {
    try {
      return await ledger.read();
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      notes.push(`which gaps of logs were recorded is not known: ${error.message}`);
      return [];
    }
  };
  const total: CheckedLog = {
    objects: 0,
    bytes: 0,
    findings: strangers.map((where) => ({ severity: 'note', where, message: 'it is no part of any log' })),
  };
  for (const owner of owners) {
    const { objects, bytes, findings } = await checkLog({ repository, snapshots, events }, owner);
    total.objects += objects;
    total.bytes += bytes;
    total.findings.push(...findings);
  }
  return total;
}

/** See `endOfLastShare`. */
async function beginOfShare({ name, ledger }: OpenedRepository, notes: string[]): Promise<string | undefined> {
  try {
    return endOfLastShare(name, await decidingEvents(ledger));
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    notes.push(`where the last check ended is not known, so this one began at the first pack: ${error.message}`);
    return undefined;
  }
}
