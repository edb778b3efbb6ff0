/** The kinds of steps as a drill does them: on copies, or not at all. */
import { HoldfastError } from '../../foundation/errors.ts';
import { type PlaceForCopy, placeForCopy, type Workspace } from '../../operations/index.ts';
import type { StepKindName, StepOf } from '../../plan/index.ts';
import type { StepContext, StepKind, StepResult } from '../step.ts';
import { answerOutputs } from '../steps/calls/answer-outputs.ts';
import { maskOf } from '../steps/calls/masking.ts';
import { loadStepKind, type StepKinds, stepKinds } from '../steps/index.ts';
import { assertFilled } from '../steps/unfilled.ts';
import { type Copy, plantAndFind } from './control.ts';
import { isControl } from './drill-steps.ts';
import { hasProgramChecks } from './drill-workspace.ts';
import { runIsolated } from './isolation.ts';

/** What a drill has open, and what it brought back. */
export interface DrillWork {
  /** Of the plan as it is: only its names are looked at. */
  living: Workspace;
  /** Why programs cannot be isolated here; undefined where they can. */
  notIsolated: string | undefined;
  /** Whether somebody is there to be asked. */
  isAttended: boolean;
  places: PlaceForCopy[];
  copies: Copy[];
}

/** Kinds that touch nothing but what is recorded of this drill, and the clock. */
const HARMLESS: readonly StepKindName[] = ['note', 'recovery-point', 'wait'];

/** A kind for each that there is. Not one of them reaches what a living address leads to. */
export function drillKinds(work: DrillWork, kinds: StepKinds = stepKinds): StepKinds {
  const wrapped = Object.keys(kinds).map((name) => {
    const load = async (): Promise<StepKind> => {
      const real = (await loadStepKind(name as StepKindName, kinds)) as unknown as StepKind;
      return {
        describe: (context) => real.describe(context),
        foresee: (context) => real.foresee(context),
        run: (context) => runInDrill(context, real, work),
        inDrill: real.inDrill,
      };
    };
    return [name, load] as const;
  });
  return Object.fromEntries(wrapped);
}

async function runInDrill(context: StepContext, real: StepKind, work: DrillWork): Promise<StepResult> {
  const { step } = context;
  if (isControl(step)) return plantAndFind(context.workspace, work.copies);
  if (step.drill === 'skip') return { outcome: 'skipped', summary: 'not done in a drill', outputs: {} };
  if (HARMLESS.includes(step.do)) return real.run(context);
  if (step.do === 'restore') return restoreCopy({ ...context, step }, real, work);
  if (step.do === 'verify') return verifyCopy({ ...context, step }, real, work);
  if (step.do === 'exec') return execInside({ ...context, step }, work);
  if (step.do === 'approve')
    return work.isAttended ? real.run(context) : notDone('nobody is asked in a drill by schedule');
  return notDone(`a drill has no copy of what ${step.do} works on`);
}

function notDone(why: string): StepResult {
  return { outcome: 'partial', summary: `not done: ${why}`, outputs: {} };
}

async function restoreCopy(
  context: StepContext & { step: StepOf<'restore'> },
  real: StepKind,
  { living, places, copies }: DrillWork,
): Promise<StepResult> {
  const { step, workspace } = context;
  assertFilled(step);
  const sources = step.source === undefined ? workspace.group(step.group!).sources : [step.source];
  const point = { at: step.at, snapshot: step.snapshot, repository: step.repository };
  const asked = Object.fromEntries(Object.entries(point).filter(([, value]) => value !== undefined));
  const targets: Record<string, string> = {};
  let isMade = false;
  for (const source of sources) {
    const place = await placeForCopy(workspace, { ...asked, source });
    places.push(place);
    targets[source] = place.to;
    isMade ||= place.isMade;
    for (const note of place.notes) context.tell(note);
  }
  const [first = ''] = Object.values(targets);
  const moved = step.source === undefined ? { to: first, targets } : { to: first, ...(isMade && { create: true }) };
  const result = await real.run({ ...context, step: { ...step, ...moved } as never });
  const { snapshot } = result.outputs;
  if (step.source !== undefined && typeof snapshot === 'string' && step.only === undefined)
    copies.push({ source: step.source, to: first, snapshot });
  return partialWithoutChecks(result, living, sources);
}

/** Against a copy of this drill, or in a sandbox of its own: never against what lives. */
async function verifyCopy(
  context: StepContext & { step: StepOf<'verify'> },
  real: StepKind,
  { living, places }: DrillWork,
): Promise<StepResult> {
  const { against, password: _, ...step } = context.step;
  const isCopy = typeof against === 'string' && places.some(({ to }) => to === against);
  if (against !== undefined && !isCopy) context.tell('what it would look at lives: it is proven in a sandbox instead');
  const result = await real.run({ ...context, step: { ...step, ...(isCopy && { against }) } as never });
  return partialWithoutChecks(result, living, step.sources);
}

function partialWithoutChecks(result: StepResult, living: Workspace, sources: readonly string[]): StepResult {
  const checked = sources.filter((source) => hasProgramChecks(living, source));
  if (checked.length === 0) return result;
  const summary = `${result.summary}; programs that check ${checked.join(', ')} are not run in a drill`;
  return { ...result, outcome: 'partial', summary };
}

/** A program without network and credentials, with the copies. */
async function execInside(
  context: StepContext & { step: StepOf<'exec'> },
  { notIsolated, places, living }: DrillWork,
): Promise<StepResult> {
  const { step, run, workspace, signal } = context;
  if (notIsolated !== undefined) return notDone(`programs cannot be kept from the living here: ${notIsolated}`);
  assertFilled(step);
  const { exec, env = {}, files } = step;
  const isSecret = exec.some((word) => typeof word !== 'string');
  if (isSecret)
    throw new HoldfastError('bad-usage', `an argument of ${step.id} is a secret, which everybody could see`);
  const given = Object.entries(env).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  const lacking = Object.entries(env).length - given.length + Object.keys(files ?? {}).length;
  if (lacking > 0) context.tell(`${step.id} goes without ${lacking} secrets and files: a drill has none`);
  const ran = await runIsolated({
    command: exec,
    environment: {
      ...Object.fromEntries(given),
      ...{ HOLDFAST_RUN: run.id, HOLDFAST_RUN_KIND: run.kind, HOLDFAST_RUNBOOK: run.runbook, HOLDFAST_STEP: step.id },
    },
    hidden: workspace.plan.directory,
    copies: places.flatMap(({ to }) => directoryOf(to)),
    signal,
  });
  const summary = `ran ${exec[0]} beside the copies, cut off from everything else`;
  return { outcome: 'done', summary, outputs: answerOutputs(ran.output, await maskOf(living, [])) };
}

/** What of a copy is a directory of this machine: itself, or where its server has its socket. */
function directoryOf(to: string): string[] {
  if (to.startsWith('/')) return [to];
  const { protocol, pathname, hostname } = new URL(to);
  if (protocol === 'redis+unix:') return [decodeURIComponent(pathname).replace(/\/[^/]*$/, '')];
  const host = decodeURIComponent(hostname);
  return host.startsWith('/') ? [host] : [];
}
