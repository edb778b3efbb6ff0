import { HoldfastError } from '../../../foundation/errors.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import { formatDuration } from '../../../foundation/units.ts';
import { examineRestore, groupPointsOf, groupTargetsOf, restoreGroup } from '../../../operations/index.ts';
import type { Described, Foreseen, StepResult } from '../../step.ts';
import { describeValue, resolveValues, unavailableReferences } from '../calls/references.ts';
import { placeOf } from '../place.ts';
import { workspaceOf } from '../step-workspace.ts';
import { unfilledNames } from '../unfilled.ts';
import { finishedBefore } from './finished-before.ts';
import { begunBy, type RestoreContext } from './restore-context.ts';

export function describeGroup({ step, workspace }: RestoreContext): Described {
  const { group = '', at = 'latest' } = step;
  return {
    does: `restores all of ${workspace.group(group).sources.join(', ')} as of ${at} to ${typeof step.to === 'string' ? step.to : 'their places'}`,
    byHand: [`holdfast restore --group ${shellWord(group)} --at ${shellWord(at)} --to ${describeValue(step.to)}`],
  };
}

export async function foreseeGroup(context: RestoreContext): Promise<Foreseen> {
  const { step, workspace } = context;
  const { group = '', at = 'latest' } = step;
  const open = unfilledNames(step);
  const missing = await unavailableReferences(workspace, [step.to, step.password, Object.values({ ...step.targets })]);
  const obstacles = [...missing];
  if (!at.includes('${')) {
    for (const point of (await groupPointsOf(workspace, workspace.group(group), { at, repository: step.repository }))
      .points)
      if ('error' in point) obstacles.push(`${point.source}: ${point.error.message}`);
  }
  if (missing.length === 0 && !open.some((name) => !at.includes(name))) {
    const targets = await groupTargetsOf(workspace.group(group), await destinations(context));
    for (const [source, to] of targets) {
      const examined = await examineRestore(workspace, { source, to });
      obstacles.push(...examined.obstacles.map((each) => `${source}: ${each}`));
    }
  }
  return { ...describeGroup(context), obstacles: [...new Set(obstacles)] };
}

/** As `holdfast restore --group` takes them. */
async function destinations(context: RestoreContext): Promise<string[]> {
  const { step, workspace, signal } = context;
  const { values } = await resolveValues(step.targets, { ...workspace.references, signal });
  const each = Object.entries(values).map(([source, target]) => `${source}=${target}`);
  // Where each source has a place of its own, there need be none for all of them.
  if (workspace.group(step.group!).sources.every((source) => source in values)) return each;
  return [await placeOf(context, 'to', { place: step.to, password: step.password }), ...each];
}

/** @throws what kept the most important of them from coming back, where none did */
export async function restoreOneGroup(context: RestoreContext): Promise<StepResult> {
  const { step, workspace } = context;
  const { at, repository } = step;
  const restored = await restoreGroup(workspaceOf(context), {
    ...{ group: step.group!, to: await destinations(context) },
    ...{ ...(at !== undefined && { at }), ...(repository !== undefined && { repository }) },
    begunBy: begunBy(context),
  });
  context.signal.throwIfAborted();
  for (const note of restored.notes) context.tell(note);
  const members = await Promise.all(
    restored.members.map(async (member) => {
      if (member.outcome !== 'failed') return { ...member, bytes: member.restored.bytes };
      const isThere = member.error.code === 'target-not-empty';
      const before = isThere ? await finishedBefore(context, { ...member, begunBy: begunBy(context) }) : undefined;
      return before === undefined
        ? { ...member, bytes: 0 }
        : { ...member, outcome: before.outcome, bytes: before.bytes };
    }),
  );
  const failed = members.flatMap((each) => (each.outcome === 'failed' && 'error' in each ? [each] : []));
  for (const { source, error } of failed) context.tell(`${source}: ${error.message}`);
  if (failed.length === members.length) throw failed[0]?.error ?? new HoldfastError('internal', 'the group is empty');
  const isWhole = members.every(({ outcome }) => outcome === 'complete');
  const missing = failed.length === 0 ? '' : `; ${failed.map(({ source }) => source).join(', ')} did not come back`;
  const names = workspace.group(step.group!).sources.join(', ');
  return {
    outcome: isWhole ? 'done' : 'partial',
    summary: `restored ${names} as of ${restored.at}, each at most ${formatDuration(restored.skewMs)} before it${missing}`,
    outputs: {
      ...(typeof step.to === 'string' && {
        target: await placeOf(context, 'to', { place: step.to, password: undefined }),
      }),
      ...{ time: restored.at, bytes: members.reduce((sum, { bytes }) => sum + bytes, 0) },
    },
  };
}
