import { hostname } from 'node:os';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import { assertCopyable, removeKept, type Workspace } from '../../operations/index.ts';
import type { PlannedStep, Runbook, StepDocument } from '../../plan/index.ts';
import { Engine } from '../engine/engine.ts';
import { RunRecord } from '../engine/run-record.ts';
import { Sole } from '../engine/sole.ts';
import { type RunState, stateOf } from '../engine/state.ts';
import { newRunId, type OpenRequest, paramsOf, runbookOf } from '../incidents/open.ts';
import type { RunOptions } from '../incidents/run.ts';
import { loadStepKind, type StepKinds, stepKinds } from '../steps/index.ts';
import { closeDiedDrills } from './died.ts';
import { drillKinds } from './drill-kinds.ts';
import { DrillServers, wantedServers } from './drill-servers.ts';
import { drillSteps, SANDBOX } from './drill-steps.ts';
import type { DrillWork } from './drill-work.ts';
import { drillWorkspace } from './drill-workspace.ts';
import { isolationProblem } from './isolation.ts';

export interface DrillRequest extends Pick<OpenRequest, 'runbook' | 'params'> {
  /** The task of the daemon that has it held: then nobody is asked. */
  task?: string;
  /** How long what was restored stays for somebody to look at; it is removed at once, when left out. */
  keepMs?: number;
}

type DrillOptions = RunOptions & { onOpened?(state: RunState): void };

/** What a drill is held with. */
interface Prepared {
  runbook: Runbook;
  params: Record<string, string>;
  /** As the drill does them. */
  steps: PlannedStep[];
  record: RunRecord;
  work: DrillWork;
}

/**
 * Runs a runbook on copies, which are gone afterwards. Nothing that lives is reached: see `drillWorkspace` and `runIsolated`.
 * @returns the drill as it ended
 * @throws unknown-runbook, bad-usage, step-not-supported, program-missing, before anything is done; see `Engine.run`
 */
export async function holdDrill(
  workspace: Workspace,
  request: DrillRequest,
  { kinds = stepKinds, ...options }: DrillOptions = {},
): Promise<RunState> {
  const prepared = await prepare(workspace, request, { kinds, ...options });
  const { record, work } = prepared;
  const drill = newRunId();
  try {
    await run(workspace, { drill, request, prepared }, { kinds, ...options });
  } finally {
    await closeAll(work, () => keepPlaces(workspace, { drill, record, work }, request.keepMs));
  }
  return stateOf(drill, await record.readRun(drill))!;
}

/** All that takes time and is no part of a recovery: what is missing here is said before anything is recorded. */
async function prepare(
  workspace: Workspace,
  request: DrillRequest,
  { kinds, tell }: DrillOptions & { kinds: StepKinds },
): Promise<Prepared> {
  const { environment, plan } = workspace;
  const runbook = runbookOf(workspace, request.runbook);
  const params = drillParams(runbook, request);
  const faults = runbook.drill;
  const steps = drillSteps(runbook.steps, await usualOf(runbook, kinds), faults);
  const wanted = wantedServers(steps, faults, plan);
  const reading = drillWorkspace(workspace, runbook);
  for (const [source, how] of sourcesIn(reading, steps, wanted)) {
    await assertCopyable(reading, source, how).catch((error: unknown) => Promise.reject(notHere(error)));
  }
  const record = new RunRecord(workspace);
  await removeKept(workspace);
  await closeDiedDrills(workspace, record);
  const notIsolated = await isolationProblem(environment.signal);
  const servers = await DrillServers.open(reading, wanted, plan, (line) => tell?.(line));
  const isAttended = request.task === undefined;
  const work = {
    living: workspace,
    notIsolated,
    isAttended,
    places: [],
    copies: [],
    areTouched: false,
    servers,
    faults,
    keepMs: request.keepMs,
  };
  return { runbook, params, steps, record, work };
}

/** That something is missing here says nothing of the runbook. */
function notHere(error: unknown): unknown {
  if (!isHoldfastError(error, 'not-provable')) return error;
  return new HoldfastError('program-missing', `the drill cannot be held on this machine: ${error.message}`, {
    hint: `${error.hint ?? 'Hold it where that is.'} Nothing was done.`,
    context: error.context,
    cause: error,
  });
}

/** The sources that a drill has to bring back, and whether servers of it are to follow each other. */
function sourcesIn(
  workspace: Workspace,
  steps: readonly PlannedStep[],
  wanted: ReadonlyMap<string, unknown>,
): Map<string, { copies: boolean }> {
  const restored = steps.flatMap(({ document }) => {
    if (document.drill !== 'run' || document.do !== 'restore') return [];
    return document.source === undefined ? workspace.group(document.group!).sources : [document.source];
  });
  const all = new Set([...restored, ...wanted.keys()]);
  return new Map([...all].map((source) => [source, { copies: wanted.has(source) }]));
}

async function run(
  workspace: Workspace,
  { drill, request, prepared }: { drill: string; request: DrillRequest; prepared: Prepared },
  { kinds, onOpened, ...options }: DrillOptions & { kinds: StepKinds },
): Promise<void> {
  const { environment } = workspace;
  const { runbook, params, steps, record, work } = prepared;
  const { name, scenario, severity, objectives } = runbook;
  const { rtoMs, rpoMs } = objectives;
  // Before it is recorded that it has begun: nobody takes it for one whose process is gone.
  const sole = await soleOf(environment, { drill, record }, options);
  try {
    await record.append('drill.started', {
      ...{ drill, runbook: name, scenario, severity, params, sinceFrom: 'start' },
      since: new Date(environment.clock.nowMs()).toISOString(),
      objectives: { ...(rtoMs !== undefined && { rtoMs }), ...(rpoMs !== undefined && { rpoMs }) },
      steps: steps.map(({ document }) => ({ ...document })),
      network: work.notIsolated === undefined ? 'isolated' : 'none',
      ...(request.task !== undefined && { task: request.task }),
    });
    onOpened?.(stateOf(drill, await record.readRun(drill))!);
    const begun = { run: drill, isResumed: false, sole, signal: environment.signal };
    const copied = drillWorkspace(workspace, { ...runbook, steps }, work.servers);
    const engine = new Engine({ workspace: copied, record, ...begun, ...options, kinds: drillKinds(work, kinds) });
    await engine.run().catch(async (error: unknown) => {
      // Nobody goes on with a drill: its copies end with it.
      await settled(record.append('drill.finished', { drill, outcome: 'failed', why: messageOf(error) }));
      throw error;
    });
  } finally {
    // One that is not given back runs out by itself.
    await settled(sole.release());
  }
}

function soleOf(
  { clock: usual, signal }: Workspace['environment'],
  { drill: run, record }: { drill: string; record: RunRecord },
  { clock = usual, isAlone = false }: DrillOptions,
): Promise<Sole> {
  return Sole.take({ run, record, clock, pause: pauseUntilAborted(signal), isAlone, isResumed: false });
}

/** What a place must be told of is a sandbox here: a parameter that is not given stands for one. @throws as `paramsOf` */
function drillParams(runbook: Runbook, { params = {} }: DrillRequest): Record<string, string> {
  const usual = runbook.params.map((each) => (each.required ? { ...each, default: SANDBOX, required: false } : each));
  return paramsOf({ ...runbook, params: usual }, { params });
}

async function usualOf(runbook: Runbook, kinds: StepKinds): Promise<(kind: StepDocument['do']) => 'run' | 'skip'> {
  const usual = new Map<string, 'run' | 'skip'>();
  for (const { document } of runbook.steps) usual.set(document.do, (await loadStepKind(document.do, kinds)).inDrill);
  return (kind) => usual.get(kind) ?? 'skip';
}

/** Has what was restored stay, and says where, before it is closed. @returns what records it, once it is closed */
function keepPlaces(
  { environment }: Workspace,
  { drill, record, work }: { drill: string; record: RunRecord; work: DrillWork },
  keepMs: number | undefined,
): () => Promise<void> {
  if (keepMs === undefined) return async () => {};
  const untilMs = environment.clock.nowMs() + keepMs;
  const kept = work.places.map((place) => {
    const where = place.keepUntil?.(untilMs) ?? place.keptAt;
    return { source: place.source, ...(where !== undefined && { place: where }) };
  });
  const until = new Date(untilMs).toISOString();
  return () => record.append('drill.kept', { drill, until, host: hostname(), kept });
}

/**
 * @param keep is called before, and what it returns afterwards
 * @throws the first of what kept a copy from being removed
 */
async function closeAll({ places, servers }: DrillWork, keep: () => () => Promise<void>): Promise<void> {
  const recordKept = keep();
  const closed = await Promise.allSettled([...places, servers].map((each) => each.close()));
  for (const each of closed) if (each.status === 'rejected') throw each.reason;
  await recordKept();
}
