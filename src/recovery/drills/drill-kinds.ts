/** The kinds of steps as a drill does them: on copies, or not at all. */
import type { DrillFaults, StepKindName } from '../../plan/index.ts';
import type { StepContext, StepKind, StepResult } from '../step.ts';
import { loadStepKind, type StepKinds, stepKinds } from '../steps/index.ts';
import { plantAndFind } from './control.ts';
import { restoreCopy, verifyCopy } from './copied-data.ts';
import { type SourceServers, sourceOfServers } from './drill-servers.ts';
import { isControl, isFaults } from './drill-steps.ts';
import { type DrillWork, notDone } from './drill-work.ts';
import { execInside, isByProgram } from './isolated-exec.ts';
import { faultsOnCopies, runOnCopies } from './server-steps.ts';

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
  if (isControl(step)) return plantAndFind(context.workspace, work);
  if (isFaults(step)) return faultsOnCopies(faultyOf(work), step.do === 'note' ? step.text : '');
  if (step.drill === 'skip') return { outcome: 'skipped', summary: 'not done in a drill', outputs: {} };
  if (HARMLESS.includes(step.do)) return real.run(context);
  if (step.do === 'restore') return restoreCopy({ ...context, step }, real, work);
  if (step.do === 'verify') return verifyCopy({ ...context, step }, real, work);
  if (isByProgram(context)) return execInside(context, work);
  if (step.do === 'approve')
    return work.isAttended ? real.run(context) : notDone('nobody is asked in a drill by schedule');
  const source = sourceOfServers(step, work.living.plan);
  const servers = source === undefined ? undefined : work.servers.of(source);
  if (servers !== undefined) return serverStep(context, real, work, servers);
  return notDone(`a drill has no copy of what ${step.do} works on`);
}

function faultyOf({ faults, servers }: DrillWork): Record<keyof DrillFaults, SourceServers[]> {
  const all = (names: readonly string[]) => names.flatMap((name) => servers.of(name) ?? []);
  return { kill: all(faults.kill), cutOff: all(faults.cutOff) };
}

/** What was promoted is what the control is tried on. */
async function serverStep(
  context: StepContext,
  real: StepKind,
  { copies }: DrillWork,
  servers: SourceServers,
): Promise<StepResult> {
  const result = await runOnCopies(context, real, servers);
  const { source, primary, held } = servers;
  if (servers.isLost(primary)) return result;
  const others = copies.filter((each) => each.source !== source);
  const { snapshot, time } = held;
  const server = async () => primary;
  copies.splice(0, copies.length, ...others, { source, to: primary.url, snapshot, time, server });
  return result;
}
