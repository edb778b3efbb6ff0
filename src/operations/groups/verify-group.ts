import type { HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { EventBodies } from '../../ledger/index.ts';
import type { Group } from '../../plan/index.ts';
import type { Check } from '../../source/index.ts';
import type { RecallOptions } from '../archives/recall.ts';
import { refuseSandbox } from '../restore/choose-sandbox.ts';
import type { InSandbox } from '../restore/in-sandbox.ts';
import { type Proof, verifySource } from '../verify/verify.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { runGroupChecks } from './group-checks.ts';
import { type GroupPoint, groupPoints, type MissingPoint } from './group-points.ts';
import { recordOfGroup } from './record-of-group.ts';

export interface GroupVerifyRequest {
  group: string;
  /** A moment: RFC 3339, `2h ago`, or `latest`, which is now. */
  at?: string;
  /** Of the plan, by name: where what it can take is proven. */
  sandbox?: string;
  repository?: string;
  recall?: Partial<RecallOptions>;
}

/** What was found of one source. */
export type ProvenMember = { source: string; point?: GroupPoint } & ({ proof: Proof } | { error: HoldfastError });

export interface GroupProof {
  group: string;
  /** RFC 3339: the moment that was asked for. */
  at: string;
  state: Proof['state'];
  skewMs: number;
  members: ProvenMember[];
  /** Those of the group; each source's own are in its proof. */
  checks: Check[];
  notes: string[];
}

/**
 * Restores all sources of a group to one moment, each into a sandbox, validates each, and with all of them there at the same
 * time runs the checks of the group. What was found is recorded, of each source and of the group.
 * @throws unknown-group, bad-usage
 */
export async function verifyGroup(workspace: Workspace, request: GroupVerifyRequest): Promise<GroupProof> {
  const group = workspace.group(request.group);
  refuseSandbox(workspace, workspace.sources(group.sources), request.sandbox);
  const { at, points, skewMs } = await groupPoints(workspace, group, request);
  const { members, checks } = await proveTogether(workspace, group, { points, request });
  const all = [...skewCheck(group, skewMs), ...checks];
  const proven = { group: group.name, at, skewMs, members, checks: all, state: stateOf(members, all) };
  const where = { sources: group.sources, repository: request.repository };
  return { ...proven, notes: await recordOfGroup(workspace, where, 'group.verified', eventOf(proven)) };
}

/** Each sandbox stays until the checks of the group have run, or until no more can come of the others. */
async function proveTogether(
  workspace: Workspace,
  group: Group,
  { points, request }: { points: readonly (GroupPoint | MissingPoint)[]; request: GroupVerifyRequest },
): Promise<{ members: ProvenMember[]; checks: Check[] }> {
  const held = new Map<string, InSandbox>();
  const released = Promise.withResolvers<void>();
  const arrivals: Promise<void>[] = [];
  const proofs = points.map((point) => {
    const arrived = Promise.withResolvers<void>();
    arrivals.push(arrived.promise);
    const hold = async (came: InSandbox): Promise<void> => {
      held.set(point.source, came);
      arrived.resolve();
      await released.promise;
    };
    return awaitedLater(proveMember(workspace, point, request, hold).finally(arrived.resolve));
  });
  try {
    await Promise.all(arrivals);
    const checks = await runGroupChecks(workspace, group.validate, held);
    released.resolve();
    return { checks, members: await Promise.all(proofs) };
  } finally {
    released.resolve();
    await Promise.allSettled(proofs);
  }
}

async function proveMember(
  workspace: Workspace,
  point: GroupPoint | MissingPoint,
  { repository, recall, sandbox }: GroupVerifyRequest,
  hold: (came: InSandbox) => Promise<void>,
): Promise<ProvenMember> {
  const { source } = point;
  if ('error' in point) return point;
  try {
    const [planned] = workspace.sources([source]);
    const wanted = {
      ...(point.at === undefined ? { snapshot: point.snapshot } : { at: point.at }),
      ...(repository !== undefined && { repository }),
      ...(recall !== undefined && { recall }),
      ...(sandbox !== undefined && { sandbox }),
    };
    return { source, point, proof: await verifySource(workspace, planned!, wanted, hold) };
  } catch (error) {
    const reported = reportable(error, workspace.environment.signal);
    if (reported.code === 'interrupted' || reported.code === 'internal') throw error;
    return { source, point, error: reported };
  }
}

function skewCheck({ maxSkewMs }: Group, skewMs: number): Check[] {
  if (maxSkewMs === undefined) return [];
  const detail = `the oldest recovery point is ${formatDuration(skewMs)} before the moment, ${formatDuration(maxSkewMs)} are allowed`;
  return [{ name: 'skew', result: skewMs > maxSkewMs ? 'failed' : 'passed', detail }];
}

function stateOf(members: readonly ProvenMember[], checks: readonly Check[]): Proof['state'] {
  const states = members.map((member) => ('error' in member ? 'failed' : member.proof.state));
  if (states.includes('failed') || checks.some(({ result }) => result === 'failed')) return 'failed';
  const isUnprovable = states.includes('not-provable') || checks.some(({ result }) => result === 'not-provable');
  return isUnprovable ? 'not-provable' : 'proven';
}

function eventOf({ group, at, state, members, checks }: Omit<GroupProof, 'notes'>): EventBodies['group.verified'] {
  return {
    ...{ group, at, state },
    sources: members.map((member) => ({
      source: member.source,
      ...(member.point && { snapshot: member.point.snapshot, time: member.point.time, skewMs: member.point.skewMs }),
      state: 'error' in member ? member.error.code : member.proof.state,
    })),
    checksPassed: checks.filter(({ result }) => result === 'passed').length,
    checksFailed: checks.filter(({ result }) => result !== 'passed').map(({ name }) => name),
  };
}
