import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import type { EventBodies } from '../../ledger/index.ts';
import { parseMoment, type Workspace } from '../../operations/index.ts';
import type { Runbook } from '../../plan/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import { type RunState, stateOf } from '../engine/state.ts';
import { secrecyProblem } from '../engine/values.ts';
import { loadStepKind, type StepKinds } from '../steps/index.ts';
import { openOnce } from './open-once.ts';

export interface OpenRequest {
  runbook: string;
  /** When it happened: RFC 3339, or `2h ago`. */
  since?: string;
  /** A parameter of the name `at`, where the runbook has one. */
  at?: string;
  params?: Readonly<Record<string, string>>;
  why?: string;
  /** The id of the alert that led to it, and since when that is wrong. */
  alert?: { id: string; sinceMs: number };
  /** Also where the same runbook is under way. */
  another?: boolean;
  /** Whose call it is, where that is not whoever runs this process. */
  by?: string;
  /** A daemon runs its steps. */
  runBy?: 'daemon';
}

export interface OpenOptions {
  record?: RunRecord;
  kinds?: StepKinds;
  pause?: Pause;
  /** Is told where somebody else is waited for. */
  tell?: ((line: string) => void) | undefined;
}

/**
 * Opens an incident: from then on retention and prune rest. Nothing else is done.
 * @throws unknown-runbook; bad-usage for what it was given; step-not-supported; see `openOnce`, which `another` goes without
 */
export async function openIncident(
  workspace: Workspace,
  request: OpenRequest,
  { record = new RunRecord(workspace), kinds, pause, tell }: OpenOptions = {},
): Promise<RunState> {
  const runbook = runbookOf(workspace, request.runbook);
  const params = paramsOf(runbook, request);
  const nowMs = workspace.environment.clock.nowMs();
  const { sinceMs, sinceFrom } = sinceOf(request, nowMs);
  for (const { document } of runbook.steps) await loadStepKind(document.do, kinds);
  const opened = openedBy(request, { runbook, params, since: new Date(sinceMs).toISOString(), sinceFrom });
  const open = async (): Promise<string> => {
    const incident = newRunId();
    await record.append('incident.opened', { incident, ...opened });
    return incident;
  };
  const once = {
    workspace,
    record,
    runbook: runbook.name,
    pause: pause ?? pauseUntilAborted(workspace.environment.signal),
  };
  const incident = request.another === true ? await open() : await openOnce({ ...once, tell }, open);
  if (runbook.personalData) {
    await record.append('breach.declared', {
      incident,
      since: opened.since,
      ...(request.by !== undefined && { by: request.by }),
    });
  }
  return stateOf(incident, await record.readRun(incident))!;
}

type Opened = Omit<EventBodies['incident.opened'], 'incident'> & { since: string };

function openedBy(
  { why, alert, by, runBy }: OpenRequest,
  {
    runbook,
    ...begun
  }: { runbook: Runbook; params: Record<string, string>; since: string; sinceFrom: Since['sinceFrom'] },
): Opened {
  const { name, scenario, severity, steps, objectives } = runbook;
  const { rtoMs, rpoMs } = objectives;
  return {
    ...{ runbook: name, scenario, severity, ...begun, why: why ?? scenario },
    objectives: { ...(rtoMs !== undefined && { rtoMs }), ...(rpoMs !== undefined && { rpoMs }) },
    steps: steps.map(({ document }) => ({ ...document })),
    ...(alert !== undefined && { alert: alert.id }),
    ...(by !== undefined && { by }),
    ...(runBy !== undefined && { runBy }),
  };
}

/** The id of an incident or a drill. */
export function newRunId(): string {
  return randomBytes(4).toString('hex');
}

/** @throws unknown-runbook */
export function runbookOf({ plan }: Workspace, name: string): Runbook {
  const runbook = plan.runbooks.get(name);
  if (runbook !== undefined) return runbook;
  const known = [...plan.runbooks.keys()];
  throw new HoldfastError('unknown-runbook', `the plan has no runbook ${JSON.stringify(name)}`, {
    hint: known.length === 0 ? 'Write one under `runbooks:` in the plan.' : `It has: ${known.join(', ')}.`,
  });
}

/** @throws bad-usage for one that is missing, unknown, or a secret */
export function paramsOf(
  { name: runbook, params }: Runbook,
  { params: given = {}, at }: Pick<OpenRequest, 'params' | 'at'>,
): Record<string, string> {
  const all: Readonly<Record<string, string>> = { ...given, ...(at !== undefined && { at }) };
  const names = params.map(({ name }) => name);
  const unknown = Object.keys(all).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new HoldfastError('bad-usage', `the runbook ${runbook} has no parameter ${JSON.stringify(unknown)}`, {
      hint: names.length === 0 ? 'It has none.' : `It has: ${names.join(', ')}.`,
    });
  }
  return Object.fromEntries(
    params.flatMap(({ name, required, default: usual, help }) => {
      const value = Object.hasOwn(all, name) ? all[name] : usual;
      if (value === undefined && !required) return [];
      if (value === undefined) {
        throw new HoldfastError('bad-usage', `the runbook ${runbook} needs the parameter ${name}`, {
          hint: `Add \`--param ${name}=VALUE\`${help === undefined ? '' : `: ${help}`}.`,
        });
      }
      const problem = secrecyProblem(name, value);
      if (problem === undefined) return [[name, value]];
      throw new HoldfastError('bad-usage', `the parameter ${name} must not be recorded: ${problem}`, {
        hint: `Put it into an environment variable, and give its name: \`--param ${name}=env:NAME\`.`,
      });
    }),
  );
}

interface Since {
  sinceMs: number;
  sinceFrom: 'given' | 'alert' | 'start';
}

function sinceOf({ since, alert }: OpenRequest, nowMs: number): Since {
  if (since !== undefined) {
    const sinceMs = parseMoment(since, nowMs) ?? nowMs;
    if (sinceMs <= nowMs) return { sinceMs, sinceFrom: 'given' };
    throw new HoldfastError('bad-usage', `${since} has not come yet`, { hint: 'Say when it happened.' });
  }
  if (alert !== undefined) return { sinceMs: alert.sinceMs, sinceFrom: 'alert' };
  return { sinceMs: nowMs, sinceFrom: 'start' };
}
