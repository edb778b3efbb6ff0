import { join } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import type { StepOf } from '../../plan/index.ts';
import type { StepContext, StepResult } from '../step.ts';
import { answerOutputs } from '../steps/calls/answer-outputs.ts';
import { maskOf } from '../steps/calls/masking.ts';
import { assertFilled } from '../steps/unfilled.ts';
import { type DrillWork, notDone } from './drill-work.ts';
import { runIsolated } from './isolation.ts';

const POSTGRES_PORT = '5432';

/** A step that is done by a program, of whatever kind. */
type ProgramStep = StepOf<'exec'> | StepOf<'deploy'> | StepOf<'keys.revoke'> | StepOf<'isolate'>;
export type ProgramContext = StepContext & { step: ProgramStep & { exec: StepOf<'exec'>['exec'] } };

/** Whether a step is done by a program, and by nothing else. */
export function isByProgram(context: StepContext): context is ProgramContext {
  return 'exec' in context.step && context.step.exec !== undefined;
}

/** A program without network and credentials, with the copies. */
export async function execInside(context: ProgramContext, work: DrillWork): Promise<StepResult> {
  const { notIsolated, places, living } = work;
  const { step, run, workspace, signal } = context;
  if (notIsolated !== undefined) return notDone(`programs cannot be kept from the living here: ${notIsolated}`);
  assertFilled(step);
  const { exec, env = {} } = step;
  const files = 'files' in step ? step.files : undefined;
  const isSecret = exec.some((word) => typeof word !== 'string');
  if (isSecret)
    throw new HoldfastError('bad-usage', `an argument of ${step.id} is a secret, which everybody could see`);
  const given = Object.entries(env).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  const lacking = Object.entries(env).length - given.length + Object.keys(files ?? {}).length;
  if (lacking > 0) context.tell(`${step.id} goes without ${lacking} secrets and files: a drill has none`);
  work.areTouched = true;
  const ran = await runIsolated({
    command: exec,
    environment: {
      ...Object.fromEntries(given),
      ...{ HOLDFAST_RUN: run.id, HOLDFAST_RUN_KIND: run.kind, HOLDFAST_RUNBOOK: run.runbook, HOLDFAST_STEP: step.id },
    },
    hidden: workspace.plan.directory,
    copies: places.flatMap(({ to, url }) => reachable(url ?? to)),
    signal,
  });
  const summary = `ran ${exec[0]} beside the copies, cut off from everything else`;
  return { outcome: 'done', summary, outputs: answerOutputs(ran.output, await maskOf(living, [])) };
}

/**
 * What of a copy programs may reach: its directory, or of a server the socket alone. What lies beside that is the server's, and
 * this process's, which work on it from outside.
 */
function reachable(to: string): string[] {
  if (to.startsWith('/')) return [to];
  const { protocol, pathname, hostname, port } = new URL(to);
  if (protocol === 'redis+unix:') return [decodeURIComponent(pathname)];
  const host = decodeURIComponent(hostname);
  return host.startsWith('/') ? [join(host, `.s.PGSQL.${port === '' ? POSTGRES_PORT : port}`)] : [];
}
