import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { parseMoment, type Workspace } from '../../operations/index.ts';
import { rpoMsOf, rtoMsOf } from '../engine/outcome.ts';
import { RunRecord, unmirroredText } from '../engine/run-record.ts';
import type { RunState } from '../engine/state.ts';
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

/**
 * Ends an incident, whatever of it is left: retention and prune go on. What its steps did is undone where a kind of step can,
 * the last first, and said otherwise.
 * @param tell is told what did not come to a mirror
 * @throws unknown-incident; bad-usage where it has ended
 */
export async function abortIncident(
  workspace: Workspace,
  id: string,
  { why, by = personHere(), kinds, tell }: { why: string; kinds?: StepKinds; tell?(line: string): void } & Caller,
): Promise<RunState> {
  const record = new RunRecord(workspace);
  const state = await findRun(record, id);
  if (state.ended !== undefined) {
    throw new HoldfastError('bad-usage', `${state.id} has ended already`, {
      hint: `See \`holdfast incident show ${state.id}\`.`,
    });
  }
  if (state.kind === 'drill') {
    throw new HoldfastError('bad-usage', `${state.id} is a drill: it ends with its process, and its copies with it`, {
      hint: 'Interrupt the process that runs it.',
    });
  }
  const standing = await standingOf(workspace, state, kinds);
  const [rtoMs, rpoMs] = [rtoMsOf(state), rpoMsOf(state.steps)];
  await record.append('incident.closed', {
    ...{ incident: state.id, outcome: 'aborted', why, by, standing },
    durationMs: Math.max(0, workspace.environment.clock.nowMs() - state.startedMs),
    ...(rtoMs !== undefined && { rtoMs }),
    ...(rpoMs !== undefined && { rpoMs }),
  });
  for (const each of await record.mirrored()) tell?.(unmirroredText(each));
  return findRun(record, state.id);
}

/** What is left standing, in words, the last first: of each step that was begun. */
async function standingOf(workspace: Workspace, state: RunState, kinds?: StepKinds): Promise<string[]> {
  const standing: string[] = [];
  for (const step of state.steps.filter(({ attempt }) => attempt > 0).reverse()) {
    const { id, document } = step.plan;
    const lookup = lookupOf(state);
    const did = step.summary ?? `it was begun, and is ${step.phase}`;
    try {
      const kind = await loadStepKind(document.do, kinds);
      if (kind.undo === undefined) {
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
        ask: async () => [],
      };
      standing.push(`${id}: ${await kind.undo(context as never)}`);
    } catch (error) {
      // Whoever aborts is told of all of it, and the rest is ended all the same.
      standing.push(`${id}: ${did}; it could not be undone: ${messageOf(error)}`);
    }
  }
  return standing;
}
