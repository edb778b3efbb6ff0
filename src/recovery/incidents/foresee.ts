import { isHoldfastError } from '../../foundation/errors.ts';
import { isUrl } from '../../foundation/target.ts';
import { reportable, type Workspace } from '../../operations/index.ts';
import type { PlannedStep } from '../../plan/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import type { RunState, StepState } from '../engine/state.ts';
import { fillStep, type Lookup, lookupOf } from '../engine/values.ts';
import type { Described, Foreseen, StepContext } from '../step.ts';
import { loadStepKind, type StepKinds } from '../steps/index.ts';
import { statesIn } from './list.ts';
import { type OpenRequest, paramsOf, runbookOf } from './open.ts';
import { unopenedRun } from './unopened-run.ts';

/** A look takes no longer than that: what could not be looked at by then is an obstacle. */
const LOOK_MS = 4000;

export interface ForeseenStep extends Foreseen {
  step: string;
  do: PlannedStep['document']['do'];
  title?: string;
  needs: readonly string[];
  when?: string;
  withinMs?: number;
  onFailure: PlannedStep['onFailure'];
  /** When a drill last did it, RFC 3339; absent where none has. */
  drilledAt?: string;
}

export interface ForeseenRun {
  runbook: string;
  scenario: string;
  objectives: { rtoMs?: number; rpoMs?: number };
  steps: ForeseenStep[];
  /** How many obstacles there are in all. */
  obstacles: number;
  /** Until what people use is back, as far as steps tell; absent where one of them does not. */
  expectedMs?: number;
  /** The same, of those that tell. */
  knownMs: number;
  /** The steps until then that nothing tells of, by their ids. */
  unknown: string[];
}

/** What a runbook would do, with nothing changed. @throws unknown-runbook, bad-usage */
export async function foreseeRun(
  workspace: Workspace,
  request: Pick<OpenRequest, 'runbook' | 'params' | 'at' | 'since'>,
  kinds?: StepKinds,
): Promise<ForeseenRun> {
  const runbook = runbookOf(workspace, request.runbook);
  const params = paramsOf(runbook, request);
  const nowMs = workspace.environment.clock.nowMs();
  const state = unopenedRun(runbook, params, nowMs);
  const [looked, drilled] = await Promise.all([
    Promise.all(runbook.steps.map((step) => foreseeStep(workspace, state, step, kinds))),
    drilledSteps(workspace, runbook.name),
  ]);
  const steps = looked.map((step): ForeseenStep => {
    const { durationMs, endedMs } = drilled.get(step.step) ?? {};
    return {
      ...step,
      ...(durationMs !== undefined && { expectedMs: step.expectedMs ?? durationMs }),
      ...(endedMs !== undefined && { drilledAt: new Date(endedMs).toISOString() }),
    };
  });
  const { rtoMs, rpoMs } = runbook.objectives;
  const marked = runbook.steps.findLastIndex(({ restoresService }) => restoresService);
  const until = steps.slice(0, marked < 0 ? steps.length : marked + 1);
  const unknown = until.flatMap(({ step, expectedMs }) => (expectedMs === undefined ? [step] : []));
  const knownMs = until.reduce((sum, { expectedMs = 0 }) => sum + expectedMs, 0);
  return {
    ...{ runbook: runbook.name, scenario: runbook.scenario, steps },
    objectives: { ...(rtoMs !== undefined && { rtoMs }), ...(rpoMs !== undefined && { rpoMs }) },
    obstacles: steps.reduce((sum, { obstacles }) => sum + obstacles.length, 0),
    ...(unknown.length === 0 && { expectedMs: knownMs }),
    ...{ knownMs, unknown },
  };
}

/** The steps that drills of a runbook have done, each as the last of them did it; none where the ledger is out of reach. */
async function drilledSteps(workspace: Workspace, runbook: string): Promise<Map<string, StepState>> {
  try {
    const drills = statesIn(await new RunRecord(workspace).read()).filter((each) => each.kind === 'drill');
    const own = drills.filter((each) => each.runbook === runbook).reverse();
    const done = own.flatMap(({ steps }) => steps.filter(({ phase }) => phase === 'done'));
    return new Map(done.map((step) => [step.plan.id, step]));
  } catch (error) {
    if (isHoldfastError(error)) return new Map();
    throw error;
  }
}

/** What a step would do, with what is known filled in: what could not be found out is an obstacle. */
export async function foreseeStep(
  workspace: Workspace,
  state: RunState,
  step: PlannedStep,
  kinds?: StepKinds,
): Promise<ForeseenStep> {
  const { id, document, needs, withinMs, onFailure } = step;
  const described = await describeStep(workspace, state, step, kinds);
  const looked = await look(workspace, state, step, kinds);
  return {
    ...{ step: id, do: document.do, needs, onFailure, ...described, ...looked },
    byHand: described.byHand,
    ...(document.title !== undefined && { title: document.title }),
    ...(document.when !== undefined && { when: document.when }),
    ...(withinMs !== undefined && { withinMs }),
  };
}

/** A step in words, with what is known filled in, and nothing looked at. */
export async function describeStep(
  workspace: Workspace,
  state: RunState,
  step: PlannedStep,
  kinds?: StepKinds,
): Promise<Described> {
  const { document } = step;
  const { signal } = workspace.environment;
  try {
    const kind = await loadStepKind(document.do, kinds);
    const { does, byHand } = kind.describe(contextOf(workspace, state, step, signal) as never);
    return { does, byHand: [...saidByHand(document.byHand), ...byHand] };
  } catch (error) {
    // What the plan does not have any more, a look says.
    if (!isHoldfastError(error)) throw error;
    return { does: document.do, byHand: saidByHand(document.byHand) };
  }
}

/** What the plan says, as lines that a shell passes over. */
function saidByHand(text = ''): string[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [`# ${line}`]));
}

async function look(
  workspace: Workspace,
  state: RunState,
  step: PlannedStep,
  kinds: StepKinds | undefined,
): Promise<Pick<Foreseen, 'obstacles'> & Partial<Foreseen>> {
  const { signal } = workspace.environment;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
  try {
    const kind = await loadStepKind(step.document.do, kinds);
    return await Promise.race([kind.foresee(contextOf(workspace, state, step, limited) as never), over(limited)]);
  } catch (error) {
    signal.throwIfAborted();
    const message = limited.aborted ? 'it could not be looked at in time' : reportable(error, signal).message;
    return { obstacles: [message] };
  }
}

function contextOf(workspace: Workspace, state: RunState, { document }: PlannedStep, signal: AbortSignal): StepContext {
  const { clock } = workspace.environment;
  return {
    step: fillStep(document, foreseenOf(workspace, state), false),
    run: {
      ...{ id: state.id, kind: 'incident', runbook: state.runbook, sinceMs: state.sinceMs },
      steps: stepsOf(workspace, state),
    },
    ...{ workspace, clock, signal, beganMs: clock.nowMs() },
    tell: () => {},
    output: () => undefined,
    noted: {},
    note: async () => {},
    ask: async () => [],
  };
}

/** What is known by now, and of a restore that is yet to come, the directory that it goes to. */
function foreseenOf(workspace: Workspace, state: RunState): Lookup {
  const known = lookupOf(state);
  const directoryOf = (id: string): string | undefined => {
    const document = stepsOf(workspace, state).find((step) => step.id === id)?.document;
    if (document?.do !== 'restore') return undefined;
    const { to } = fillStep(document, known, false);
    return typeof to === 'string' && !to.includes('${') && !isUrl(to) ? to : undefined;
  };
  return (name) =>
    known(name) ?? (name.endsWith('.target') ? directoryOf(name.slice(0, -'.target'.length)) : undefined);
}

/** Of a run that has not begun, those of the plan. */
function stepsOf({ plan }: Workspace, { runbook, steps }: RunState): readonly PlannedStep[] {
  return steps.length > 0 ? steps.map((step) => step.plan) : (plan.runbooks.get(runbook)?.steps ?? []);
}

function over(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
