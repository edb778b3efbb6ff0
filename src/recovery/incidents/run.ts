import { HoldfastError } from '../../foundation/errors.ts';
import type { Workspace } from '../../operations/index.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import { isStopped } from '../engine/next.ts';
import { RunRecord } from '../engine/run-record.ts';
import type { RunState } from '../engine/state.ts';
import { personHere } from './answer.ts';
import { findRun } from './list.ts';
import { type OpenRequest, openIncident } from './open.ts';

export type RunOptions = Partial<Pick<EngineOptions, 'isAlone' | 'tell' | 'onState' | 'kinds' | 'clock' | 'pauseFor'>>;

/**
 * Opens an incident, and runs its steps. See `openIncident` and `Engine.run`.
 * @param onOpened is told of it as soon as it is recorded
 */
export async function recover(
  workspace: Workspace,
  request: OpenRequest,
  options: RunOptions & { onOpened?(state: RunState): void } = {},
): Promise<RunState> {
  const record = new RunRecord(workspace);
  const { onOpened, ...others } = options;
  const { kinds, tell } = options;
  const opened = await openIncident(workspace, request, { record, tell, ...(kinds && { kinds }) });
  onOpened?.(opened);
  return runSteps(workspace, { record, run: opened.id, isResumed: false, ...others });
}

export interface ResumeRequest {
  /** Whose call it is; whoever runs this process, when left out. */
  by?: string;
  /** Whether what failed is tried again, which takes a person to say; it is, when left out. */
  again?: boolean;
}

/**
 * Goes on with an incident whose engine is gone, or that stopped at a step which failed: that is tried again.
 * @param id may be shortened
 * @throws unknown-incident; see `Engine.run`
 */
export async function resume(
  workspace: Workspace,
  id: string,
  { by = personHere(), again = true, ...options }: RunOptions & ResumeRequest = {},
): Promise<RunState> {
  const record = new RunRecord(workspace);
  const state = await findRun(record, id);
  if (state.ended !== undefined) return state;
  if (state.kind === 'drill') {
    throw new HoldfastError('bad-usage', `${state.id} is a drill, and its copies are gone with its process`, {
      hint: `Begin another one: \`holdfast drill ${state.runbook}\`.`,
    });
  }
  for (const { plan, attempt } of again ? state.steps.filter(isStopped) : []) {
    await record.append('step.answered', { run: state.id, step: plan.id, attempt, answer: 'again', by });
  }
  return runSteps(workspace, { record, run: state.id, isResumed: true, ...options });
}

function runSteps(workspace: Workspace, options: Omit<EngineOptions, 'workspace' | 'signal'>): Promise<RunState> {
  return new Engine({ workspace, signal: workspace.environment.signal, ...options }).run();
}
