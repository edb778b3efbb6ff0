import { readdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { isHoldfastError, systemCode } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { GroupPoint } from '../groups/group-points.ts';
import { type GroupMember, restoreMember } from '../groups/restore-group.ts';
import { targetOf } from '../restore/restore.ts';
import type { Workspace } from '../workspace.ts';

type Directory = Extract<Target, { kind: 'directory' }>;
type MemberRequest = Parameters<typeof restoreMember>[2];

/** Whether nothing is in a target that is a directory: what is there later, a restore has put there. */
export async function isFree(to: string): Promise<boolean> {
  const target = targetOf(to);
  if (target.kind !== 'directory') return false;
  try {
    return (await readdir(target.path)).length === 0;
  } catch (error) {
    // What else is wrong with it, the restore says.
    return systemCode(error) === 'ENOENT';
  }
}

/**
 * Restores a source to a directory that an earlier run of the same rescue had begun to fill, and which was free before. What
 * was interrupted goes on; where it had come too far for that, as a cluster that is replaying its log, it is made anew.
 */
export async function restoreBegun(
  workspace: Workspace,
  point: GroupPoint,
  { request, target }: MemberRequest,
): Promise<GroupMember> {
  const member = await restoreMember(workspace, point, { request, target });
  if (member.outcome !== 'failed' || !isHoldfastError(member.error, 'target-not-empty')) return member;
  const { path } = targetOf(target) as Directory;
  const planned = workspace.plan.sources.get(point.source)!;
  if (planned.type === 'postgres' && planned.method === 'physical') {
    // It may be large, and what is right in it stays; one that a server runs on is refused.
    const replacing = { ...request, replace: true, confirm: basename(path) };
    return restoreMember(workspace, point, { request: replacing, target });
  }
  await rm(path, { recursive: true, force: true });
  return restoreMember(workspace, point, { request, target });
}
