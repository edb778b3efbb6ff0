import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { parseMoment, type Workspace } from '../../operations/index.ts';
import type { Runbook } from '../../plan/index.ts';
import { Claims } from '../engine/claims.ts';
import { RunRecord } from '../engine/run-record.ts';
import { type RunState, stateOf } from '../engine/state.ts';
import { secrecyProblem } from '../engine/values.ts';
import { loadStepKind, type StepKinds } from '../steps/index.ts';
import { statesIn } from './list.ts';

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

/**
 * Opens an incident: from then on retention and prune rest. Nothing else is done.
 * @throws unknown-runbook; bad-usage for what it was given; step-not-supported; incident-exists where the same runbook is
 *   under way
 */
export async function openIncident(
  workspace: Workspace,
  request: OpenRequest,
  { record = new RunRecord(workspace), kinds }: { record?: RunRecord; kinds?: StepKinds } = {},
): Promise<RunState> {
  const runbook = runbookOf(workspace, request.runbook);
  const params = paramsOf(runbook, request);
  const nowMs = workspace.environment.clock.nowMs();
  const { sinceMs, sinceFrom } = sinceOf(request, nowMs);
  for (const { document } of runbook.steps) await loadStepKind(document.do, kinds);
  await beTheOne(workspace, record, { runbook, isAnother: request.another === true });
  const incident = newRunId();
  const { scenario, severity, steps } = runbook;
  const { rtoMs, rpoMs } = runbook.objectives;
  await record.append('incident.opened', {
    ...{ incident, runbook: runbook.name, scenario, severity, params, sinceFrom },
    why: request.why ?? scenario,
    since: new Date(sinceMs).toISOString(),
    objectives: { ...(rtoMs !== undefined && { rtoMs }), ...(rpoMs !== undefined && { rpoMs }) },
    steps: steps.map(({ document }) => ({ ...document })),
    ...(request.alert !== undefined && { alert: request.alert.id }),
    ...(request.by !== undefined && { by: request.by }),
    ...(request.runBy !== undefined && { runBy: request.runBy }),
  });
  if (runbook.personalData) {
    const since = new Date(sinceMs).toISOString();
    await record.append('breach.declared', { incident, since, ...(request.by !== undefined && { by: request.by }) });
  }
  return stateOf(incident, await record.readRun(incident))!;
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

function sinceOf(
  { since, alert }: OpenRequest,
  nowMs: number,
): { sinceMs: number; sinceFrom: 'given' | 'alert' | 'start' } {
  if (since !== undefined) {
    const sinceMs = parseMoment(since, nowMs) ?? nowMs;
    if (sinceMs <= nowMs) return { sinceMs, sinceFrom: 'given' };
    throw new HoldfastError('bad-usage', `${since} has not come yet`, { hint: 'Say when it happened.' });
  }
  if (alert !== undefined) return { sinceMs: alert.sinceMs, sinceFrom: 'alert' };
  return { sinceMs: nowMs, sinceFrom: 'start' };
}

/** Who starts the same a moment after another one gets so long to see what that one opens. */
const OPENING_MS = 3000;
const LOOK_EVERY_MS = 250;

/** That of two who start the same runbook at once the second learns of the first. @throws incident-exists */
async function beTheOne(
  { environment }: Workspace,
  record: RunRecord,
  { runbook, isAnother }: { runbook: Runbook; isAnother: boolean },
): Promise<void> {
  const claims = new Claims();
  const pause = pauseUntilAborted(environment.signal);
  for (let attempt = await opened(record, runbook, isAnother); ; attempt++) {
    const { repository } = await record.firstInReach();
    if (await claims.take(repository, { run: `open-${runbook.name}`, step: 'open', attempt })) return;
    // Somebody opens one just now, or was killed on the way.
    for (let waitedMs = 0; waitedMs < OPENING_MS; waitedMs += LOOK_EVERY_MS) {
      await pause(LOOK_EVERY_MS);
      attempt = Math.max(attempt, (await opened(record, runbook, isAnother)) - 1);
    }
  }
}

/** @returns which one of this runbook the next is, from 1. @throws incident-exists */
async function opened(record: RunRecord, { name }: Runbook, isAnother: boolean): Promise<number> {
  const known = statesIn(await record.read()).filter(({ kind, runbook }) => kind === 'incident' && runbook === name);
  const open = known.find(({ ended }) => ended === undefined);
  if (open === undefined || isAnother) return known.length + 1;
  const startedAt = new Date(open.startedMs).toISOString();
  throw new HoldfastError(
    'incident-exists',
    `${name} is under way already, since ${startedAt}, started by ${open.by}: ${open.id}`,
    {
      hint: `See \`holdfast incident show ${open.id}\`, and go on with it by \`holdfast incident resume ${open.id}\` where its process is gone. \`--another\` opens one more.`,
      context: { incident: open.id, by: open.by },
    },
  );
}
