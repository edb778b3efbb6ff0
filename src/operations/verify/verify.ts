import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { hasLog, type Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { isOffline, type RecallOptions, recallContent } from '../archives/recall.ts';
import { attemptEach } from '../attempt-each.ts';
import { Reading } from '../reading.ts';
import { refuseSandbox } from '../restore/choose-sandbox.ts';
import type { SandboxRequest } from '../restore/in-sandbox.ts';
import { findWantedPoint } from '../restore/recovery-point.ts';
import { refuseLogTarget } from '../restore/recovery-target.ts';
import { chooseSnapshot } from '../restore/restore.ts';
import { damageNote, readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { pickSnapshot } from './pick-snapshot.ts';
import { type Proof, prove } from './prove.ts';
import { newestStretches, pickSecond, recoverableStretches } from './random-moment.ts';

export type { Proof } from './prove.ts';

export interface VerifyRequest {
  sources: string[];
  snapshot?: string;
  /** A moment; of a source with a log, also a position in it: then the log is proven as well. */
  at?: string;
  /** `random`: any backup; of a source with a log, any second that can be recovered. */
  pick?: 'latest' | 'random';
  /** Of `random`: how far back from the newest, in milliseconds; all, when left out. */
  fromMs?: number;
  /** What `random` picks by: from 0 up to, and without, 1. */
  random?: () => number;
  /** How long what was restored stays for somebody to look at; it is removed at once, when left out. */
  keepMs?: number;
  /** Of the plan, by name: where what it can take is proven. */
  sandbox?: string;
  /** Where the repository is not the source's own. */
  repository?: string;
  /** How content is asked for that must be. */
  recall?: Partial<RecallOptions>;
}

export interface Verified {
  proofs: Proof[];
  /** Sources of which no recovery point could be tried, so that nothing is known of them. */
  failures: { source: string; error: HoldfastError }[];
}

/**
 * Restores each source into a sandbox of its own and validates what came back. What was found is recorded in the ledger,
 * whatever it is. One that cannot be tried does not stop the others.
 * @throws see `attemptEach`
 */
export async function verify(workspace: Workspace, request: VerifyRequest): Promise<Verified> {
  const sources = workspace.sources(request.sources);
  if (request.snapshot !== undefined && sources.length !== 1) {
    throw new HoldfastError('bad-usage', '--snapshot belongs to one source', {
      hint: 'Name the source that the snapshot is of.',
    });
  }
  refuseSandbox(workspace, sources, request.sandbox);
  const { results, failures } = await attemptEach(workspace, sources, (planned) =>
    verifySource(workspace, planned, request),
  );
  return { proofs: results, failures: failures.map(({ of, error }) => ({ source: of.name, error })) };
}

/**
 * Proves a recovery point of one source, and records what was found.
 * @param hold see `prove`
 */
export async function verifySource(
  workspace: Workspace,
  planned: PlanSource,
  request: Omit<VerifyRequest, 'sources'>,
  hold?: Parameters<typeof prove>[3],
): Promise<Proof> {
  const repository = workspace.repositoryName(request.repository ?? planned.repository);
  const opened = await workspace.openToRead(repository, { uncached: true });
  const reading = await Reading.begin(opened, workspace.environment.clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    reading.notes.push(...damaged.map(damageNote));
    const { sandbox, keepMs } = request;
    const provable = await provableOf(workspace, opened, { planned, request, snapshots });
    await recallContent(workspace, opened, { snapshots: [provable.snapshot], options: request.recall });
    const proof = await prove(workspace, opened, { ...provable, sandbox, keepMs }, hold);
    const { checks: _checks, notes, time: _time, ...event } = proof;
    await reading.record('proof.recorded', event);
    return { ...proof, notes: [...notes, ...reading.notes] };
  } finally {
    await reading.end();
  }
}

/** A backup by itself, unless a time is given that its log leads to, or any is to be picked that one does. */
async function provableOf(
  workspace: Workspace,
  opened: OpenedRepository,
  {
    planned,
    request,
    snapshots,
  }: { planned: PlanSource; request: Omit<VerifyRequest, 'sources'>; snapshots: StoredSnapshot[] },
): Promise<SandboxRequest> {
  const isReplayed = hasLog(planned) && !isOffline(workspace, opened.name);
  const { snapshot } = request;
  const isAny = isReplayed && request.pick === 'random' && snapshot === undefined && request.at === undefined;
  const at = isAny ? await randomMoment(workspace, opened, planned, request) : request.at;
  if (!isReplayed || at === undefined) {
    refuseLogTarget(at, planned.name);
    return { planned, snapshot: pick(workspace, snapshots, planned, request) };
  }
  const chosen =
    snapshot === undefined ? undefined : chooseSnapshot(snapshots, workspace, { source: planned.name, snapshot });
  const point = await findWantedPoint(workspace, opened, planned, { at, chosen }).catch((error: unknown) => {
    // A second at which nobody followed a stream: the last one before it.
    const before = isHoldfastError(error, 'log-missing') ? error.context['before'] : undefined;
    if (!isAny || typeof before !== 'string') throw error;
    return findWantedPoint(workspace, opened, planned, { at: before, chosen });
  });
  return { planned, snapshot: point.base, point };
}

/** RFC 3339; undefined where no log leads anywhere, so that there are only the backups themselves. */
async function randomMoment(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { fromMs = Number.POSITIVE_INFINITY, random = Math.random }: Pick<VerifyRequest, 'fromMs' | 'random'>,
): Promise<string | undefined> {
  const stretches = newestStretches(await recoverableStretches(workspace, opened, planned), fromMs);
  const second = pickSecond(stretches, random());
  return second === undefined ? undefined : new Date(second).toISOString();
}

function pick(
  workspace: Workspace,
  snapshots: StoredSnapshot[],
  planned: PlanSource,
  request: Omit<VerifyRequest, 'sources'>,
): StoredSnapshot {
  const any = request.pick === 'random' ? pickSnapshot(workspace, snapshots, planned.name, request) : undefined;
  return any ?? chooseSnapshot(snapshots, workspace, { source: planned.name, ...request });
}
