import { messageOf } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import type { Workspace } from '../../operations/index.ts';
import type { Runbook, StepDocument } from '../../plan/index.ts';
import { Engine } from '../engine/engine.ts';
import { RunRecord } from '../engine/run-record.ts';
import { type RunState, stateOf } from '../engine/state.ts';
import { newRunId, type OpenRequest, paramsOf, runbookOf } from '../incidents/open.ts';
import type { RunOptions } from '../incidents/run.ts';
import { loadStepKind, type StepKinds, stepKinds } from '../steps/index.ts';
import { type DrillWork, drillKinds } from './drill-kinds.ts';
import { drillSteps, SANDBOX } from './drill-steps.ts';
import { drillWorkspace } from './drill-workspace.ts';
import { isolationProblem } from './isolation.ts';

export interface DrillRequest extends Pick<OpenRequest, 'runbook' | 'params'> {
  /** The task of the daemon that has it held: then nobody is asked. */
  task?: string;
}

/**
 * Runs a runbook on copies, which are gone afterwards. Nothing that lives is reached: see `drillWorkspace` and `runIsolated`.
 * @returns the drill as it ended
 * @throws unknown-runbook, bad-usage, step-not-supported, before anything is done; see `Engine.run`
 */
export async function holdDrill(
  workspace: Workspace,
  request: DrillRequest,
  { kinds = stepKinds, onOpened, ...options }: RunOptions & { onOpened?(state: RunState): void } = {},
): Promise<RunState> {
  const { environment } = workspace;
  const runbook = runbookOf(workspace, request.runbook);
  const params = drillParams(runbook, request);
  const steps = drillSteps(runbook.steps, await usualOf(runbook, kinds));
  const notIsolated = await isolationProblem(environment.signal);
  const record = new RunRecord(workspace);
  const drill = newRunId();
  const { name, scenario, severity, objectives } = runbook;
  const { rtoMs, rpoMs } = objectives;
  await record.append('drill.started', {
    ...{ drill, runbook: name, scenario, severity, params, sinceFrom: 'start' },
    since: new Date(environment.clock.nowMs()).toISOString(),
    objectives: { ...(rtoMs !== undefined && { rtoMs }), ...(rpoMs !== undefined && { rpoMs }) },
    steps: steps.map(({ document }) => ({ ...document })),
    network: notIsolated === undefined ? 'isolated' : 'none',
    ...(request.task !== undefined && { task: request.task }),
  });
  onOpened?.(stateOf(drill, await record.readRun(drill))!);
  const work: DrillWork = {
    ...{ living: workspace, notIsolated, isAttended: request.task === undefined },
    ...{ places: [], copies: [] },
  };
  const copies = drillWorkspace(workspace, { ...runbook, steps });
  try {
    const engine = new Engine({
      ...{ workspace: copies, record, run: drill, isResumed: false, signal: environment.signal },
      ...{ ...options, kinds: drillKinds(work, kinds) },
    });
    return await engine.run();
  } catch (error) {
    // Nobody goes on with a drill: its copies end with it.
    await settled(record.append('drill.finished', { drill, outcome: 'failed', why: messageOf(error) }));
    throw error;
  } finally {
    await closeAll(work);
  }
}

/** What a place must be told of is a sandbox here: a parameter that is not given stands for one. @throws as `paramsOf` */
function drillParams(runbook: Runbook, { params = {} }: DrillRequest): Record<string, string> {
  const usual = runbook.params.map((each) => (each.required ? { ...each, default: SANDBOX, required: false } : each));
  return paramsOf({ ...runbook, params: usual }, { params });
}

async function usualOf(runbook: Runbook, kinds: StepKinds): Promise<(kind: StepDocument['do']) => 'run' | 'skip'> {
  const usual = new Map<string, 'run' | 'skip'>();
  for (const { document } of runbook.steps) usual.set(document.do, (await loadStepKind(document.do, kinds)).inDrill);
  // Whom an incident would keep waiting is asked only where the runbook says that it is drilled as well.
  usual.set('approve', 'skip');
  return (kind) => usual.get(kind) ?? 'skip';
}

/** @throws the first of what kept a copy from being removed */
async function closeAll({ places }: DrillWork): Promise<void> {
  const closed = await Promise.allSettled(places.map((place) => place.close()));
  for (const each of closed) if (each.status === 'rejected') throw each.reason;
}
