import { isHoldfastError } from '../../../foundation/errors.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import { formatDuration, formatSize } from '../../../foundation/units.ts';
import { withoutPassword } from '../../../foundation/url-password.ts';
import { describeTarget, examineRestore, type RestoreRequest, restore } from '../../../operations/index.ts';
import type { Described, Foreseen, StepResult } from '../../step.ts';
import { fromAnyCopy } from '../any-copy.ts';
import { describeValue, unavailableReferences } from '../calls/references.ts';
import { placeOf } from '../place.ts';
import { workspaceOf } from '../step-workspace.ts';
import { unfilledNames } from '../unfilled.ts';
import { type FinishedRestore, finishedBefore } from './finished-before.ts';
import { begunBy, type RestoreContext } from './restore-context.ts';

type Request = Omit<RestoreRequest, 'to'> & { source: string };

function requestOf(context: RestoreContext): Request {
  const { step } = context;
  const { at, snapshot, only, as, create, diff, replace, confirm, repository } = step;
  return {
    source: step.source!,
    ...{ ...(at !== undefined && { at }), ...(snapshot !== undefined && { snapshot }) },
    ...{ ...(only && { selection: { only } }), ...(as !== undefined && { as }), ...(create && { create: {} }) },
    ...{ ...(diff && { diff }), ...(replace && { replace }), ...(confirm !== undefined && { confirm }) },
    ...(repository !== undefined && { repository }),
    begunBy: begunBy(context),
  };
}

export function describeSource(context: RestoreContext): Described {
  const { at, snapshot, only, source } = context.step;
  const moment = at ?? (snapshot === undefined ? 'the newest recovery point' : `snapshot ${snapshot}`);
  const part = only === undefined ? source : `${only.join(', ')} of ${source}`;
  return { does: `restores ${part} as of ${moment} to ${shownPlace(context)}`, byHand: byHand(context) };
}

export async function foreseeSource(context: RestoreContext): Promise<Foreseen> {
  const { step, workspace } = context;
  const open = unfilledNames(step);
  const missing = await unavailableReferences(workspace, [step.to, step.password]);
  const isKnown = (value: unknown): boolean =>
    !open.some((name) => JSON.stringify(value ?? null).includes(`\${${name}}`));
  const to = missing.length > 0 || !isKnown(step.to) ? undefined : await placeOf(context, 'to', placeIn(context));
  const { at, snapshot, ...request } = requestOf(context);
  const examined = await examineRestore(workspace, {
    ...request,
    ...(at !== undefined && isKnown(at) && { at }),
    ...(snapshot !== undefined && isKnown(snapshot) && { snapshot }),
    ...(to !== undefined && { to }),
  });
  return {
    ...describeSource(context),
    obstacles: [...missing, ...examined.obstacles],
    ...(examined.expectedMs !== undefined && { expectedMs: examined.expectedMs }),
  };
}

function placeIn({ step }: RestoreContext) {
  return { place: step.to, password: step.password };
}

function shownPlace({ step }: RestoreContext): string {
  return typeof step.to === 'string' ? withoutPassword(step.to) : `the place that ${describeValue(step.to)} holds`;
}

function byHand({ step }: RestoreContext): string[] {
  const { source, at, snapshot, only = [], as, replace, confirm } = step;
  const words = [
    ...['holdfast', 'restore', source!, '--to', describeValue(step.to)],
    ...(at === undefined ? [] : ['--at', shellWord(at)]),
    ...(snapshot === undefined ? [] : ['--snapshot', shellWord(snapshot)]),
    ...only.flatMap((each) => ['--only', shellWord(each)]),
    ...(as === undefined ? [] : ['--as', shellWord(as)]),
    ...(replace ? ['--replace'] : []),
    ...(confirm === undefined ? [] : ['--confirm', shellWord(confirm)]),
  ];
  return [
    words.join(' '),
    `# without Holdfast: restic -r REPOSITORY snapshots --tag ${shellWord(`source:${source}`)}, then`,
    `restic -r REPOSITORY restore ${snapshot === undefined ? 'SNAPSHOT' : shellWord(snapshot)} --target DIRECTORY`,
  ];
}

/** @throws what a restore throws */
export async function restoreOneSource(context: RestoreContext): Promise<StepResult> {
  const workspace = workspaceOf(context);
  const to = await placeOf(context, 'to', placeIn(context));
  const { kind, label } = await describeTarget(to);
  const request = requestOf(context);
  const named = { named: request.repository, source: request.source };
  const place = { target: kind === 'directory' ? label : withoutPassword(to), isDatabase: kind === 'database' };
  try {
    const restored = await fromAnyCopy(context, named, (repository) =>
      restore(workspace, { ...request, to, repository }),
    );
    for (const note of restored.notes) context.tell(note);
    for (const { path, message } of restored.problems) context.tell(`${path}: ${message}`);
    return resultOf(context, place, restored);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isHoldfastError(error, 'target-not-empty')) throw error;
    const before = await finishedBefore(context, { source: request.source, target: label, begunBy: begunBy(context) });
    if (before !== undefined) return resultOf(context, place, before);
    throw error;
  }
}

function resultOf(
  { step }: RestoreContext,
  { target, isDatabase }: { target: string; isDatabase: boolean },
  restored: Pick<FinishedRestore, 'snapshot' | 'time' | 'bytes' | 'outcome' | 'durationMs'>,
): StepResult {
  const { snapshot, time, bytes, outcome, durationMs } = restored;
  const lacking = outcome === 'complete' ? '' : '; some of it could not be';
  const moment = time === undefined ? `snapshot ${snapshot.slice(0, 8)}` : time;
  return {
    outcome: outcome === 'complete' ? 'done' : 'partial',
    summary: `restored ${step.source} as of ${moment} to ${target}: ${formatSize(bytes)} in ${formatDuration(durationMs)}${lacking}`,
    outputs: { target, ...(isDatabase && { url: target }), ...(time !== undefined && { time }), snapshot, bytes },
  };
}
