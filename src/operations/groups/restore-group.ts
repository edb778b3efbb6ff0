import { dirname, join } from 'node:path';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { Group } from '../../plan/index.ts';
import type { RecallOptions } from '../archives/recall.ts';
import { labelOf, type RestoreRequest, type RestoreResult, restore, targetOf } from '../restore/restore.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { groupOutcome } from './group-outcome.ts';
import { type GroupPoint, groupPoints, type MissingPoint } from './group-points.ts';
import { recordOfGroup } from './record-of-group.ts';

/** So many sources are restored at the same time: each keeps the processors busy by itself. */
const SIDE_BY_SIDE = 3;

export interface GroupRestoreRequest {
  group: string;
  /** A moment: RFC 3339, `2h ago`, or `latest`, which is now. */
  at?: string;
  /** A directory, which each source gets one of its own in, or `SOURCE=TARGET`; as given. */
  to: readonly string[];
  repository?: string;
  /** Which run it is of, where that may be killed and go on: see `RestoreContext`. */
  begunBy?: string;
  /** How content is asked for that must be. */
  recall?: Partial<RecallOptions>;
}

/** What became of one source. */
export type GroupMember = { source: string; target: string; point?: GroupPoint } & (
  | { outcome: 'complete' | 'partial'; restored: RestoreResult }
  | { outcome: 'failed'; error: HoldfastError }
);

export interface GroupRestored {
  group: string;
  /** RFC 3339: the moment that was asked for. */
  at: string;
  /** In the order of their importance. */
  members: GroupMember[];
  /** The largest there is, of what has a point. */
  skewMs: number;
  maxSkewMs?: number;
  notes: string[];
}

/**
 * Restores all sources of a group to one moment, each to a place of its own, the most important first and several side by
 * side. One that fails stops no other.
 * @param told is given the points before anything is written
 * @throws unknown-group, bad-usage
 */
export async function restoreGroup(
  workspace: Workspace,
  request: GroupRestoreRequest,
  told: (points: readonly (GroupPoint | MissingPoint)[]) => void = () => {},
): Promise<GroupRestored> {
  const group = workspace.group(request.group);
  const targets = groupTargets(group, request.to);
  const { at, points, skewMs } = await groupPoints(workspace, group, request);
  told(points);
  const members = await sideBySide(points, SIDE_BY_SIDE, (point) =>
    restoreMember(workspace, point, { request, target: targets.get(point.source)! }),
  );
  const { maxSkewMs } = group;
  const restored = { group: group.name, at, members, skewMs, ...(maxSkewMs !== undefined && { maxSkewMs }) };
  const sources = members.map(({ source, target, outcome, point }) => ({
    ...{ source, target, outcome },
    ...(point && { snapshot: point.snapshot, time: point.time, skewMs: point.skewMs }),
  }));
  const event = { group: group.name, at, sources, outcome: groupOutcome(members) };
  const where = { sources: group.sources, repository: request.repository };
  return { ...restored, notes: await recordOfGroup(workspace, where, 'group.restored', event) };
}

/** Brings one source back to a place of its own. What fails is what became of it. */
export async function restoreMember(
  workspace: Workspace,
  point: GroupPoint | MissingPoint,
  {
    request,
    target,
  }: {
    request: Pick<GroupRestoreRequest, 'repository' | 'recall' | 'begunBy'> &
      Pick<RestoreRequest, 'replace' | 'confirm' | 'keepEnd'>;
    target: string;
  },
): Promise<GroupMember> {
  const { source } = point;
  const about = { source, target: labelOf(targetOf(target)) };
  if ('error' in point) return { ...about, outcome: 'failed', error: point.error };
  try {
    await makeParent(target);
    const { repository, recall, begunBy, replace, confirm, keepEnd } = request;
    const restored = await restore(workspace, {
      ...{ source, to: target },
      ...(replace !== undefined && { replace }),
      ...(confirm !== undefined && { confirm }),
      ...(point.at === undefined ? { snapshot: point.snapshot } : { at: point.at }),
      ...(repository !== undefined && { repository }),
      ...(recall !== undefined && { recall }),
      ...(begunBy !== undefined && { begunBy }),
      ...(keepEnd !== undefined && { keepEnd }),
    });
    return { ...about, point, outcome: restored.outcome, restored };
  } catch (error) {
    return { ...about, point, outcome: 'failed', error: reportable(error, workspace.environment.signal) };
  }
}

/** A restore makes its own directory, and no other. A server that recovers as another user has to pass through this one. */
async function makeParent(to: string): Promise<void> {
  const target = targetOf(to);
  if (target.kind !== 'directory') return;
  try {
    await makeDirectories(dirname(target.path), 0o755);
  } catch (error) {
    throw new HoldfastError('target-failed', `cannot make ${dirname(target.path)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Where each source of a group goes. Pure.
 * @param to one directory for all of them, or `SOURCE=TARGET` for each, or for some of them beside the directory
 * @throws bad-usage
 */
export function groupTargets(group: Pick<Group, 'name' | 'sources'>, to: readonly string[]): Map<string, string> {
  const targets = new Map<string, string>();
  const directories: string[] = [];
  for (const each of to) {
    const [, source, target] = /^([^=/:]+)=(.+)$/s.exec(each) ?? [];
    if (source === undefined || target === undefined) directories.push(each);
    else if (!group.sources.includes(source)) throw notOfGroup(group, source);
    else if (targets.has(source)) throw badTargets(`${source} has two targets`);
    else targets.set(source, target);
  }
  if (directories.length > 1) throw badTargets('a group has one directory');
  const [directory] = directories;
  const without = group.sources.filter((source) => !targets.has(source));
  if (directory === undefined && without.length > 0) throw badTargets(`${without.join(', ')} has no target`);
  if (directory !== undefined && targetOf(directory).kind !== 'directory') {
    throw badTargets('the sources of a group share no database');
  }
  const all = new Map(group.sources.map((source) => [source, targets.get(source) ?? join(directory!, source)]));
  refuseShared(all);
  return all;
}

/** Each would find the database empty before the other has written anything there. Secrets of several sources go to one place. */
function refuseShared(targets: ReadonlyMap<string, string>): void {
  const sources = new Map<string, string>();
  for (const [source, to] of targets) {
    const target = targetOf(to);
    if (target.kind === 'directory' || target.url.startsWith('secretmanager:')) continue;
    const other = sources.get(target.url);
    if (other !== undefined) throw badTargets(`${other} and ${source} have the same target`);
    sources.set(target.url, source);
  }
}

function badTargets(message: string): HoldfastError {
  return new HoldfastError('bad-usage', message, {
    hint: 'Give `--to DIRECTORY` for all of them, and `--to SOURCE=TARGET` for each that goes elsewhere.',
  });
}

function notOfGroup({ name, sources }: Pick<Group, 'name' | 'sources'>, source: string): HoldfastError {
  return new HoldfastError('bad-usage', `${source} is no source of the group ${name}`, {
    hint: `It has: ${sources.join(', ')}.`,
  });
}
