import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import { parseMoment, type Workspace } from '../../operations/index.ts';
import { rpoMsOf, rtoMsOf } from '../engine/outcome.ts';
import { RunRecord, unmirroredText } from '../engine/run-record.ts';
import { whoRuns } from '../engine/sole.ts';
import type { RunState, StepPhase } from '../engine/state.ts';
import { fillStep, lookupOf } from '../engine/values.ts';
import type { StepContext } from '../step.ts';
import { loadStepKind, type StepKinds } from '../steps/index.ts';
import { personHere } from './answer.ts';
import { findRun } from './list.ts';

/** Whose call it is; whoever runs this process, when left out. */
export interface Caller {
  by?: string;
}

/** Writes a line into the record of an incident, also of one that has ended. @throws unknown-incident */
export async function noteIncident(
  workspace: Workspace,
  id: string,
  { text, by = personHere() }: { text: string } & Caller,
): Promise<RunState> {
  const record = new RunRecord(workspace);
  const { id: incident } = await findRun(record, id);
  await record.append('incident.noted', { incident, text, by });
  return findRun(record, incident);
}

/** Says who sees to it. Who said so first stays. @throws unknown-incident */
export async function acknowledgeIncident(
  workspace: Workspace,
  id: string,
  { by = personHere() }: Caller = {},
): Promise<RunState> {
  const record = new RunRecord(workspace);
  const state = await findRun(record, id);
  if (state.acknowledged !== undefined) return state;
  await record.append('incident.acknowledged', { incident: state.id, by });
  return findRun(record, state.id);
}

/** The authority is to be told within 72 hours after a breach of personal data has become known: GDPR, article 33. */
export const BREACH_WITHIN_MS = 72 * 3_600_000;

export interface BreachRequest extends Caller {
  /** When it became known: RFC 3339, or `2h ago`; when the incident began, when left out. */
  since?: string;
  /** Whom it was reported to: then it is not declared, but done with. */
  reportedTo?: string;
}

/** Declares a breach of personal data, from which on 72 hours count, or says that it was reported. @throws unknown-incident, bad-usage */
export async function declareBreach(workspace: Workspace, id: string, request: BreachRequest): Promise<RunState> {
  const { by = personHere(), since, reportedTo } = request;
  const record = new RunRecord(workspace);
  const state = await findRun(record, id);
  const nowMs = workspace.environment.clock.nowMs();
  const sinceMs = since === undefined ? state.sinceMs : (parseMoment(since, nowMs) ?? nowMs);
  if (state.breach === undefined) {
    await record.append('breach.declared', { incident: state.id, since: new Date(sinceMs).toISOString(), by });
  }
  if (reportedTo !== undefined) await record.append('breach.reported', { incident: state.id, to: reportedTo, by });
  return findRun(record, state.id);
}

/** How long a process that runs the steps is waited for, once it can know that they are to end: of one that is dead its lease runs out. */
const ENDS_WITHIN_MS = 5 * 60_000;
const LOOK_EVERY_MS = 500;

export interface AbortRequest extends Caller {
  why: string;
  kinds?: StepKinds;
  /** Is told what is waited for, and what did not come to a mirror. */
  tell?(line: string): void;
  pause?: Pause;
}

/**
 * Ends an incident, whatever of it is left: retention and prune go on. What its steps did is undone where a kind of step can,
 * the last first, and said otherwise. Where a process runs them it is ended first: it would do again what was undone.
 * @throws unknown-incident; bad-usage where it has ended
 */
export async function abortIncident(workspace: Workspace, id: string, request: AbortRequest): Promise<RunState> {
  const { why, by = personHere(), kinds, tell } = request;
  const { clock, signal } = workspace.environment;
  const { pause = pauseUntilAborted(signal) } = request;
  const record = new RunRecord(workspace);
  const state = await findRun(record, id);
  refuseAbort(state);
  const close = async (standing: string[]): Promise<void> => {
    const [rtoMs, rpoMs] = [rtoMsOf(state), rpoMsOf(state.steps)];
    await record.append('incident.closed', {
      ...{ incident: state.id, outcome: 'aborted', why, by, standing },
      durationMs: Math.max(0, clock.nowMs() - state.startedMs),
      ...(rtoMs !== undefined && { rtoMs }),
      ...(rpoMs !== undefined && { rpoMs }),
    });
  };
  const looking = { run: state.id, record, clock, pause };
  let standing: string[];
  if ((await whoRuns(looking)) === 'a process') {
    await close(['its process is to end first: a note says what is left then']);
    tell?.(`waits until the process that runs the steps of ${state.id} has ended, five minutes at most`);
    standing = (await hasEnded(looking))
      ? await standingOf(workspace, await findRun(record, state.id), kinds)
      : ['the process that runs its steps does not end: nothing is undone. End it, and see what each step did'];
    await record.append('incident.noted', { incident: state.id, text: `what is left: ${standing.join('; ')}`, by });
  } else {
    standing = await standingOf(workspace, state, kinds);
    await close(standing);
  }
  for (const each of await record.mirrored()) tell?.(unmirroredText(each));
  const { ended, ...aborted } = await findRun(record, state.id);
  return { ...aborted, ...(ended !== undefined && { ended: { ...ended, standing } }) };
}

/** @throws bad-usage */
function refuseAbort({ id, ended, kind }: RunState): void {
  if (ended !== undefined) {
    throw new HoldfastError('bad-usage', `${id} has ended already`, { hint: `See \`holdfast incident show ${id}\`.` });
  }
  if (kind === 'incident') return;
  throw new HoldfastError('bad-usage', `${id} is a drill: it ends with its process, and its copies with it`, {
    hint: 'Interrupt the process that runs it.',
  });
}

/** @returns whether no process runs it any more */
async function hasEnded(looking: Parameters<typeof whoRuns>[0]): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < ENDS_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
    if ((await whoRuns(looking)) === 'nobody') return true;
    await looking.pause(LOOK_EVERY_MS);
  }
  return false;
}

/** Nobody is at it any more, whatever was recorded of it last. */
function begunText(phase: StepPhase): string {
  return `it was begun, and ${phase === 'running' ? 'did not end' : `is ${phase}`}`;
}

/** What is left standing, in words, the last first: of each step that was begun. */
async function standingOf(workspace: Workspace, state: RunState, kinds?: StepKinds): Promise<string[]> {
  const standing: string[] = [];
  for (const step of state.steps.filter(({ attempt }) => attempt > 0).reverse()) {
    const { id, document } = step.plan;
    const lookup = lookupOf(state);
    const isDone = step.phase === 'done' || step.phase === 'partial';
    const did = step.summary ?? begunText(step.phase);
    try {
      const kind = await loadStepKind(document.do, kinds);
      if (kind.undo === undefined && kind.leaves === undefined) {
        standing.push(`${id}: ${did}`);
        continue;
      }
      const context: StepContext = {
        step: fillStep(document, lookup, false),
        run: {
          ...{ id: state.id, kind: state.kind, runbook: state.runbook, sinceMs: state.sinceMs },
          steps: state.steps.map(({ plan }) => plan),
        },
        ...{ workspace, clock: workspace.environment.clock, signal: workspace.environment.signal },
        beganMs: step.beganMs ?? state.startedMs,
        tell: () => {},
        output: (other, name) => state.steps.find(({ plan }) => plan.id === other)?.outputs[name],
        noted: step.noted,
        note: async () => {},
        ask: async () => [],
      };
      if (kind.undo === undefined) {
        const left = kind.leaves!(context as never);
        standing.push(isDone ? `${id}: ${left}` : `${id}: ${did}; as far as it took effect, ${left}`);
        continue;
      }
      const how = isDone ? '' : `; the step itself is ${step.phase}`;
      standing.push(`${id}: ${await kind.undo(context as never)}${how}`);
    } catch (error) {
      // Whoever aborts is told of all of it, and the rest is ended all the same.
      standing.push(`${id}: ${did}; it could not be undone: ${messageOf(error)}`);
    }
  }
  return standing;
}
