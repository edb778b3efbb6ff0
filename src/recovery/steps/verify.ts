import { HoldfastError } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { isUrl } from '../../foundation/target.ts';
import { formatDuration } from '../../foundation/units.ts';
import { examineRestore, verify as prove, validateAt } from '../../operations/index.ts';
import { namesInTemplate } from '../../plan/index.ts';
import type { StepContext, StepKind, StepResult } from '../step.ts';
import { fromAnyCopy } from './any-copy.ts';
import { describeValue, unavailableReferences } from './calls/references.ts';
import { placeOf } from './place.ts';
import { workspaceOf } from './step-workspace.ts';
import { assertFilled } from './unfilled.ts';

type Context = StepContext<'verify'>;

/** Validates what was restored, or what lives, or proves the recovery points themselves in a sandbox. */
export const verify: StepKind<'verify'> = {
  describe: (context) => {
    const { step } = context;
    const standby = standbyOf(context);
    const names = step.sources.join(', ');
    const moment = step.at === undefined ? '' : ` --at ${shellWord(step.at)}`;
    return {
      does:
        step.against === undefined ? `proves ${names} in a sandbox` : `validates ${names} at ${shownPlace(context)}`,
      byHand: step.sources.map((source) =>
        step.against === undefined
          ? `holdfast verify ${source}${moment}`
          : `holdfast compare ${source}${moment} --with ${describeValue(standby?.url ?? step.against)}`,
      ),
    };
  },
  foresee: async (context) => {
    const { step, workspace } = context;
    const obstacles = await unavailableReferences(workspace, [step.against, step.password]);
    const standby = standbyOf(context);
    if (standby !== undefined) obstacles.push(...(await unavailableReferences(workspace, standby.url)));
    const at = step.at === undefined || step.at.includes('${') ? {} : { at: step.at };
    const examined = await Promise.all(step.sources.map((source) => examineRestore(workspace, { source, ...at })));
    const times = examined.flatMap(({ expectedMs }) => expectedMs ?? []);
    return {
      ...verify.describe(context),
      ...(times.length === examined.length && { expectedMs: times.reduce((sum, each) => sum + each, 0) }),
      obstacles: [...obstacles, ...unlookable(context), ...examined.flatMap((each) => each.obstacles)],
    };
  },
  async run(context) {
    assertFilled(context.step);
    return context.step.against === undefined ? inSandbox(context) : atPlace(context, context.step.against);
  },
  inDrill: 'run',
};

function standbyOf({ workspace, step }: Context) {
  return typeof step.against === 'string' ? workspace.plan.standbys.get(step.against) : undefined;
}

/** What a directory has no server for. A drill does not meet it: there it is restored to a sandbox. */
function unlookable(context: Context): string[] {
  const { step, workspace } = context;
  const { against } = step;
  if (typeof against !== 'string' || against.includes('${') || isUrl(against) || standbyOf(context)) return [];
  const planned = workspace.sources(step.sources);
  const isServed = (source: (typeof planned)[number]): boolean =>
    source.type === 'firestore' || (source.type === 'postgres' && source.method === 'logical');
  return planned
    .filter(isServed)
    .map(({ name }) => `${name} can be validated in a database only, and ${against} is a directory`);
}

function shownPlace(context: Context): string {
  const { against = '' } = context.step;
  const standby = standbyOf(context);
  if (standby !== undefined) return `the standby ${standby.name}`;
  return typeof against === 'string' ? against : `the place that ${describeValue(against)} holds`;
}

async function inSandbox(context: Context): Promise<StepResult> {
  const { sources, at } = context.step;
  const workspace = workspaceOf(context);
  const times: string[] = [];
  for (const source of sources) {
    const { proofs } = await fromAnyCopy(context, { named: undefined, source }, (repository) =>
      prove(workspace, { sources: [source], repository, ...(at !== undefined && { at }) }),
    );
    const { state, checksFailed, reason, time, durationMs } = proofs[0]!;
    context.tell(`${source} as of ${time}: ${state}, after ${formatDuration(durationMs)}`);
    if (state === 'failed') {
      throw new HoldfastError(
        'validation-failed',
        `${source} as of ${time} does not come back as it is to be: ${checksFailed.join(', ')}`,
        {
          hint: `Choose another recovery point: \`holdfast snapshots ${source}\` shows which are proven.`,
        },
      );
    }
    if (state === 'not-provable') {
      throw new HoldfastError(
        'not-provable',
        `${source} cannot be proven here: ${reason ?? 'not everything could be looked at'}`,
        {
          hint: 'Install what is missing, or have the step done on another machine.',
        },
      );
    }
    times.push(time);
  }
  return {
    outcome: 'done',
    summary: `${sources.join(', ')} came back whole in a sandbox, as of ${times.join(', ')}`,
    outputs: { outcome: 'proven', time: oldest(times) },
  };
}

async function atPlace(context: Context, against: NonNullable<Context['step']['against']>): Promise<StepResult> {
  const { step } = context;
  const workspace = workspaceOf(context);
  const standby = standbyOf(context);
  const at = await placeOf(context, 'against', { place: standby?.url ?? against, password: step.password });
  const times: string[] = [];
  let passed = 0;
  for (const source of step.sources) {
    const validated = await fromAnyCopy(context, { named: undefined, source }, (repository) =>
      validateAt(workspace, { source, at, repository, isLiving: standby !== undefined, ...pointOf(context) }),
    );
    const { checks, place, time, notes } = validated;
    for (const note of notes) context.tell(note);
    for (const { name, result, detail } of checks)
      if (result !== 'passed') context.tell(`${name}: ${result}, ${detail}`);
    assertPassed({ source, place: standby === undefined ? place : `the standby ${standby.name}`, checks });
    passed += checks.length;
    times.push(time);
  }
  return {
    outcome: 'done',
    summary: `${step.sources.join(', ')} at ${shownPlace(context)} passed ${passed} checks`,
    outputs: { outcome: 'passed', time: oldest(times) },
  };
}

/** The recovery point that was restored there, where the place is what a restore of this runbook found out. */
function pointOf(context: Context): { snapshot?: string; moment?: string } {
  const { run, step, output } = context;
  if (step.at !== undefined) return { moment: step.at };
  const { steps } = run;
  const written = steps.find(({ id }) => id === step.id)?.document;
  const against = written?.do === 'verify' && typeof written.against === 'string' ? written.against : '';
  for (const name of namesInTemplate(against)) {
    const id = name.split('.')[0]!;
    const restored = steps.find((each) => each.id === id)?.document;
    if (restored?.do !== 'restore') continue;
    const [snapshot, time] = [output(id, 'snapshot'), output(id, 'time')];
    if (restored.snapshot === undefined && typeof time === 'string')
      return { moment: time, ...(typeof snapshot === 'string' && { snapshot }) };
    if (typeof snapshot === 'string') return { snapshot };
  }
  return {};
}

/** @throws validation-failed, not-provable */
function assertPassed({
  source,
  place,
  checks,
}: Pick<Awaited<ReturnType<typeof validateAt>>, 'source' | 'place' | 'checks'>): void {
  const failed = checks.filter(({ result }) => result === 'failed');
  const hint = 'Look at what differs before anybody uses it.';
  const told = (some: typeof checks) =>
    some
      .slice(0, 3)
      .map(({ name, detail }) => `${name}: ${detail}`)
      .join('; ');
  if (failed.length > 0)
    throw new HoldfastError('validation-failed', `${source} at ${place} is not as it is to be: ${told(failed)}`, {
      hint,
    });
  const unknown = checks.filter(({ result }) => result === 'not-provable');
  if (unknown.length > 0 || checks.length === 0)
    throw new HoldfastError('not-provable', `not all of ${source} at ${place} could be looked at: ${told(unknown)}`, {
      hint,
    });
}

function oldest(times: readonly string[]): string {
  return times.toSorted()[0]!;
}
