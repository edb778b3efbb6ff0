/** Restores of a drill, which go to sandboxes, and what looks at them. */
import { formatSize } from '../../foundation/units.ts';
import { holdCopy, type PlaceForCopy, placeForCopy, type Workspace } from '../../operations/index.ts';
import type { StepOf } from '../../plan/index.ts';
import type { StepContext, StepKind, StepResult } from '../step.ts';
import { fromAnyCopy } from '../steps/any-copy.ts';
import { assertFilled } from '../steps/unfilled.ts';
import { SANDBOX } from './drill-steps.ts';
import type { DrillPlace, DrillWork } from './drill-work.ts';
import { hasProgramChecks } from './drill-workspace.ts';

type RestoreStep = StepContext & { step: StepOf<'restore'> };

/** A restore to a sandbox, wherever the runbook says. */
export async function restoreCopy(context: RestoreStep, real: StepKind, work: DrillWork): Promise<StepResult> {
  const { step, workspace } = context;
  assertFilled(step);
  if (isWholeCluster(workspace, step)) return restoreCluster(context, work);
  const sources = step.source === undefined ? workspace.group(step.group!).sources : [step.source];
  const places = new Map<string, PlaceForCopy>();
  for (const source of sources) places.set(source, await openPlace(context, source, work));
  const targets = Object.fromEntries([...places].map(([source, { to }]) => [source, to]));
  const [first] = [...places.values()];
  const to = { to: first!.to, ...(first!.isMade && { create: true }) };
  const moved = step.source === undefined ? { to: first!.to, targets } : to;
  const result = await real.run({ ...context, step: { ...step, ...moved } as never });
  for (const [source, place] of places) work.copies.push(copyIn(workspace, { source, step, place, result }));
  return partialWithoutChecks(result, work.living, sources);
}

async function openPlace(
  { step, workspace, tell }: RestoreStep,
  source: string,
  work: DrillWork,
): Promise<PlaceForCopy> {
  const { at, snapshot, repository } = step;
  const place = await placeForCopy(workspace, {
    ...{ source, keepMs: work.keepMs },
    ...{ ...(at !== undefined && { at }), ...(snapshot !== undefined && { snapshot }) },
    ...(repository !== undefined && { repository }),
  });
  work.places.push({ ...place, source });
  for (const note of place.notes) tell(note);
  return place;
}

function copyIn(
  { plan }: Workspace,
  { source, step, place, result }: { source: string; step: StepOf<'restore'>; place: PlaceForCopy; result: StepResult },
): DrillWork['copies'][number] {
  const { snapshot, time } = result.outputs;
  const { copies } = place;
  const isServer = plan.sources.get(source)?.type === 'postgres' && copies !== undefined;
  return {
    ...{ source, to: place.to, isPart: step.only !== undefined },
    ...(typeof snapshot === 'string' && { snapshot }),
    ...(typeof time === 'string' && { time }),
    ...(isServer && { server: async () => (await copies([])).primary }),
  };
}

/** A cluster that goes to a directory. */
function isWholeCluster(workspace: Workspace, { source, only, as, to }: StepOf<'restore'>): boolean {
  const planned = source === undefined ? undefined : workspace.plan.sources.get(source);
  const isCluster = planned?.type === 'postgres' && planned.method === 'physical';
  return isCluster && only === undefined && as === undefined && to === SANDBOX;
}

/** It is recovered, and has a server, which in an incident persons start. */
async function restoreCluster(context: RestoreStep, { living, places, copies }: DrillWork): Promise<StepResult> {
  const { step, workspace } = context;
  const { at, snapshot } = step;
  const source = step.source!;
  const asked = { source, ...(at !== undefined && { at }), ...(snapshot !== undefined && { snapshot }) };
  const held = await fromAnyCopy(context, { named: step.repository, source }, (repository) =>
    holdCopy(workspace, { ...asked, repository }),
  );
  const { url, directory, time, bytes } = held;
  const to = directory ?? url;
  places.push({ ...held, source, to });
  const server = async () => (await held.copies([])).primary;
  copies.push({ source, to: url, snapshot: held.snapshot, time, server });
  for (const note of held.notes) context.tell(note);
  const result: StepResult = {
    outcome: 'done',
    summary: `restored ${source} as of ${time} to ${to}, where a server runs on it: ${formatSize(bytes)}`,
    outputs: { target: to, url, time, snapshot: held.snapshot, bytes },
  };
  return partialWithoutChecks(result, living, [source]);
}

/** Against a copy of this drill, or in a sandbox of its own: never against what lives. */
export async function verifyCopy(
  context: StepContext & { step: StepOf<'verify'> },
  real: StepKind,
  { living, places }: DrillWork,
): Promise<StepResult> {
  const { against, password: _, ...step } = context.step;
  const copy = typeof against === 'string' ? copyAt(context.workspace, places, against) : undefined;
  if (against !== undefined && copy === undefined)
    context.tell('what it would look at lives: it is proven in a sandbox instead');
  const result = await real.run({
    ...context,
    step: { ...step, ...(copy !== undefined && { against: copy }) } as never,
  });
  return partialWithoutChecks(result, living, step.sources);
}

/** Where a place that a step names can be looked at; undefined where it is none of this drill's. */
function copyAt({ plan }: Workspace, places: readonly DrillPlace[], against: string): string | undefined {
  if (plan.standbys.has(against)) return against;
  const place = places.find(({ to, url }) => to === against || url === against);
  return place?.url ?? place?.to;
}

function partialWithoutChecks(result: StepResult, living: Workspace, sources: readonly string[]): StepResult {
  const checked = sources.filter((source) => hasProgramChecks(living, source));
  if (checked.length === 0) return result;
  const summary = `${result.summary}; programs that check ${checked.join(', ')} are not run in a drill`;
  return { ...result, outcome: 'partial', summary };
}
