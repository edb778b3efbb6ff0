import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { hasLog } from '../../plan/index.ts';
import { isOffline } from '../archives/recall.ts';
import { type GroupPoint, groupPoints, type MissingPoint } from '../groups/group-points.ts';
import { type GroupMember, restoreMember } from '../groups/restore-group.ts';
import { findWantedPoint } from '../restore/recovery-point.ts';
import { releaseRestored } from '../restore/release-restored.ts';
import { labelOf, type RestoreEnd, targetOf } from '../restore/restore.ts';
import { type Proof, verifySource } from '../verify/verify.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { isFree, restoreBegun } from './begun-source.ts';
import type { Copy } from './find-copies.ts';
import type { RecoveryStage } from './order.ts';
import type { RescueRequest } from './rescue-request.ts';
import { earlierOf, type RescuedSource, type RescueState, writeState } from './rescue-state.ts';

/** What became of one source. @see RecoveryStage */
export type RescueMember = BroughtBack & {
  /** From 1; and the group of the plan that it is brought back with. */
  stage: number;
  group?: string;
};

type BroughtBack = {
  source: string;
  target: string;
  /** The copy that it was read from. */
  from?: string;
  point?: GroupPoint;
  /** Of a sandbox, before it was brought back, by this run or by an earlier one. */
  proof?: Pick<Proof, 'state' | 'checksFailed' | 'reason'>;
  /** Why nothing was proven of it, where that was asked for. */
  unproven?: string;
} & (
  | {
      outcome: 'complete' | 'partial';
      /** RFC 3339: the moment that came back. */
      time: string;
      bytes: number;
      /** An earlier run had brought it back. */
      isEarlier: boolean;
      notes: string[];
      problems: string[];
    }
  | { outcome: 'failed'; error: HoldfastError }
);

export interface BringBackListener {
  /** What can be had, before anything of a stage is written. */
  points(points: readonly (GroupPoint | MissingPoint)[]): void;
  member(member: RescueMember): void;
}

interface Work {
  workspace: Workspace;
  request: RescueRequest;
  /** By source. */
  targets: ReadonlyMap<string, string>;
  directory: string;
  state: RescueState;
  copies: readonly Copy[];
  told: BringBackListener;
}

/** So many sources of a stage are restored at the same time. */
const SIDE_BY_SIDE = 3;

/** Each stage once the one before it is over. What is wrong with one source is what became of it. @throws the signal's reason */
export async function bringBack(work: Work, stages: readonly RecoveryStage[]): Promise<RescueMember[]> {
  const points = [];
  for (const stage of stages) points.push(await pointsOf(work, stage));
  work.told.points(points.flat());
  const members: RescueMember[] = [];
  for (const [index, { group }] of stages.entries()) {
    const about = { stage: index + 1, ...(group !== undefined && { group }) };
    const own = await sideBySide(points[index]!, SIDE_BY_SIDE, async (point) => {
      const member: RescueMember = { ...about, ...(await bringOneBack(work, point)) };
      work.told.member(member);
      return member;
    });
    members.push(...own);
    work.workspace.environment.signal.throwIfAborted();
  }
  return members;
}

/** The recovery points of a stage, of one moment. Of a source that no copy holds, why. */
async function pointsOf(work: Work, { sources, group }: RecoveryStage): Promise<(GroupPoint | MissingPoint)[]> {
  const { workspace, copies, state } = work;
  const reached = new Set(copies.flatMap(({ name, reason }) => (reason === undefined ? [name] : [])));
  const repositoryOf = (source: string): string => workspace.plan.sources.get(source)!.repository;
  const there = sources.filter((source) => reached.has(repositoryOf(source)));
  const asked = { name: group ?? '', sources: there, validate: [] };
  const { points } = await groupPoints(workspace, asked, { at: state.at });
  return Promise.all(
    sources.map(async (source) => {
      const point = points.find((each) => each.source === source);
      return point === undefined ? { source, error: unreached(repositoryOf(source), copies) } : newest(work, point);
    }),
  );
}

/**
 * Unless a moment was asked for, a log is replayed to its end: after a disaster nobody leaves out what is there since no
 * moment is known for it.
 */
async function newest(work: Work, point: GroupPoint | MissingPoint): Promise<GroupPoint | MissingPoint> {
  const { workspace, state } = work;
  const planned = workspace.plan.sources.get(point.source)!;
  const isReplayed = hasLog(planned) && !isOffline(workspace, planned.repository);
  if ('error' in point || state.asked !== undefined || !isReplayed) return point;
  try {
    const opened = await workspace.openToRead(planned.repository);
    const { log } = await findWantedPoint(workspace, opened, planned, { at: 'latest', chosen: undefined });
    await log.close();
    return { ...point, at: 'latest' };
  } catch (error) {
    // No log leads on from any backup: then it is the backup.
    if (!isHoldfastError(error, 'unknown-snapshot') && !isHoldfastError(error, 'log-missing')) throw error;
    return point;
  }
}

function unreached(repository: string, copies: readonly Copy[]): HoldfastError {
  const tried = copies.filter(({ name, of }) => name === repository || of === repository);
  const why = tried.map(({ name, reason = '' }) => `${name}: ${reason}`).join('; ');
  return new HoldfastError('no-repository', `no copy of ${repository} answers: ${why}`, {
    hint: 'Run the same command again once one does: what is back already stays.',
  });
}

async function bringOneBack(work: Work, point: GroupPoint | MissingPoint): Promise<BroughtBack> {
  const { workspace, request, state } = work;
  const { source } = point;
  const target = work.targets.get(source)!;
  const from = workspace.plan.sources.get(source)!.repository;
  const earlier = earlierOf(state, source);
  if (earlier !== undefined) {
    const marked = await releaseEarlier(work, source, earlier);
    return ofEarlier(source, earlier, { request, marked });
  }
  if ('error' in point) return { source, target, outcome: 'failed', error: point.error };
  const found = request.prove === true ? await proofOf(workspace, point) : {};
  const keep = (ended: RestoreEnd, more: Pick<RescuedSource, 'isMarked'> = {}): Promise<void> => {
    const { snapshot, time, bytes, outcome } = ended;
    state.sources[source] = { target: placeOf(target), from, snapshot, time, bytes, outcome, ...found, ...more };
    delete state.begun[source];
    return save(work);
  };
  const member = await restoreOne(work, point, { target, keep: (ended) => keep(ended, { isMarked: true }) });
  const about = { source, target: member.target, from, point, ...found };
  if (member.outcome === 'failed') return { ...about, outcome: 'failed', error: member.error };
  const { time, bytes, notes, problems } = member.restored;
  const { outcome } = member;
  await keep(member.restored);
  const named = problems.map(({ path, message }) => `${path}: ${message}`);
  return { ...about, outcome, time, bytes, isEarlier: false, notes, problems: [...named, ...unprovenProblem(found)] };
}

/** Where a run is killed, the next one knows what it had begun. */
async function restoreOne(
  work: Work,
  point: GroupPoint,
  { target, keep }: { target: string; keep(ended: RestoreEnd): Promise<void> },
): Promise<GroupMember> {
  const { workspace, request, state } = work;
  const { source } = point;
  const { recall } = request;
  const place = placeOf(target);
  const asked = {
    begunBy: runOf(state, source),
    ...(recall && { recall }),
    // In a directory that it began, a run finds by itself what is there.
    ...(targetOf(target).kind !== 'directory' && { keepEnd: keep }),
  };
  if (state.begun[source] === place) return restoreBegun(workspace, point, { request: asked, target });
  if (await isFree(target)) {
    state.begun[source] = place;
    await save(work);
  }
  return restoreMember(workspace, point, { request: asked, target });
}

/** Which run fills a target, for whoever goes on with it. */
function runOf({ startedAt }: RescueState, source: string): string {
  return `rescue of ${startedAt}, ${source}`;
}

function placeOf(target: string): string {
  return labelOf(targetOf(target));
}

/** Takes the mark away that an earlier run was killed before it could. @returns what kept it from that, for a person */
async function releaseEarlier(work: Work, source: string, earlier: RescuedSource): Promise<string[]> {
  if (earlier.isMarked !== true) return [];
  const { workspace, state } = work;
  const { snapshot, target } = earlier;
  const to = work.targets.get(source)!;
  try {
    if (placeOf(to) !== target) throw elsewhere(source, target);
    await releaseRestored(workspace, { source, snapshot, to, begunBy: runOf(state, source) });
  } catch (error) {
    const { signal } = workspace.environment;
    signal.throwIfAborted();
    return [`all of it is there, and may still be marked as being filled: ${reportable(error, signal).message}`];
  }
  delete state.sources[source]!.isMarked;
  await save(work);
  return [];
}

function elsewhere(source: string, target: string): HoldfastError {
  return new HoldfastError('bad-usage', `it went to ${target}`, {
    hint: `Run the same again with \`--to ${source}=…\` as it was then.`,
    context: { source, target },
  });
}

type Proven = Pick<BroughtBack, 'proof' | 'unproven'>;

/** What came of its proof then is what is known of it now. */
function ofEarlier(
  source: string,
  earlier: RescuedSource,
  { request: { prove }, marked }: { request: RescueRequest; marked: readonly string[] },
): BroughtBack {
  const {
    snapshot: _,
    isMarked: _isMarked,
    proof,
    unproven = 'an earlier run brought it back, and was not told to prove it',
    ...back
  } = earlier;
  const found = proof === undefined ? { ...(prove === true && { unproven }) } : { proof };
  const problems = [...unprovenProblem(found), ...marked];
  return { source, ...back, ...found, isEarlier: true, notes: [], problems };
}

/** What failed in a sandbox is told with what was promised; here is what kept a proof from being had. */
function unprovenProblem({ proof, unproven }: Proven): string[] {
  if (unproven !== undefined) return [`it was not proven: ${unproven}`];
  return proof?.state === 'not-provable' ? [`it could not be proven here: ${proof.reason}`] : [];
}

/** What keeps it from being proven keeps nobody from bringing it back. */
async function proofOf(workspace: Workspace, { source, at, snapshot }: GroupPoint): Promise<Proven> {
  const planned = workspace.plan.sources.get(source)!;
  try {
    return { proof: summaryOf(await verifySource(workspace, planned, at === undefined ? { snapshot } : { at })) };
  } catch (error) {
    const { signal } = workspace.environment;
    signal.throwIfAborted();
    return { unproven: reportable(error, signal).message };
  }
}

function summaryOf({ state, checksFailed, reason, checks }: Proof): NonNullable<Proven['proof']> {
  const unproven = checks.filter(({ result }) => result === 'not-provable');
  const why = reason ?? unproven.map(({ name, detail }) => `${name}: ${detail}`).join(', ');
  return { state, checksFailed, ...(why !== '' && { reason: why }) };
}

const saving = new WeakMap<RescueState, Promise<void>>();

/** One after the other: two sources that end together are written into one file. */
function save({ directory, state }: Work): Promise<void> {
  const saved = (saving.get(state) ?? Promise.resolve()).then(() => writeState(directory, state));
  saving.set(state, saved);
  return saved;
}
