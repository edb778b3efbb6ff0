import { HoldfastError } from '../../foundation/errors.ts';
import { currentUser } from '../../foundation/user.ts';
import type { StepAnswered } from '../../ledger/index.ts';
import type { Workspace } from '../../operations/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import type { RunState, StepState } from '../engine/state.ts';
import { tally, verdictsOf } from '../engine/state.ts';
import { findRun } from './list.ts';

export interface AnswerRequest {
  /** May be shortened. */
  incident: string;
  /** The only one that waits, when left out. */
  step?: string;
  answer: StepAnswered['answer'];
  /** The contact that the person answers as; the only one that the person can be, when left out. */
  as?: string;
  note?: string;
  /** Who answers; whoever runs this process, when left out. */
  by?: string;
}

export interface Answered {
  incident: string;
  step: string;
  answer: StepAnswered['answer'];
  by: string;
  as?: string;
  /** Whether the step goes on with it, and how many more persons it takes where it does not. */
  isEnough: boolean;
  missing: number;
}

/** Who runs this process, by the account's name: the same person on whichever machine. */
export function personHere(): string {
  return currentUser().username;
}

/**
 * Records what a person says to a step that waits.
 * @throws unknown-incident; answer-refused where nothing waits for that, not any more, or not for this person
 */
export async function answerStep(workspace: Workspace, request: AnswerRequest): Promise<Answered> {
  const { answer, note, by = personHere() } = request;
  const record = new RunRecord(workspace);
  const state = await findRun(record, request.incident);
  if (state.ended !== undefined) throw refusal(`${state.id} has ended`, `See \`holdfast incident show ${state.id}\`.`);
  const step = request.step === undefined ? onlyWaiting(state, answer) : namedStep(state, request.step);
  const takes = answersTo(step);
  if (!takes.includes(answer)) throw notTaken(state, step, answer, takes);
  const as = contactOf(workspace, step, { by, ...(request.as !== undefined && { as: request.as }) });
  refuseTwice(step, by, answer);
  const run = { run: state.id, step: step.plan.id, attempt: step.attempt };
  await record.append('step.answered', {
    ...run,
    answer,
    by,
    ...(as !== undefined && { as }),
    ...(note !== undefined && { note }),
  });
  return outcome(await findRun(record, state.id), step.plan.id, { answer, by, ...(as !== undefined && { as }) });
}

function outcome(state: RunState, step: string, said: Pick<Answered, 'answer' | 'by' | 'as'>): Answered {
  const { asked } = namedStep(state, step);
  const { agreed, isEnough, refusedBy } = asked === undefined ? { agreed: [], isEnough: true } : tally(asked);
  const isDecided = said.answer !== 'approve' || isEnough || refusedBy !== undefined;
  const missing = isDecided ? 0 : Math.max(0, (asked?.count ?? 1) - agreed.length);
  return { incident: state.id, step, ...said, isEnough: isDecided, missing };
}

/** What may be said to a step as it is just now. */
export function answersTo(step: StepState): readonly StepAnswered['answer'][] {
  const { phase, asked, verdict } = step;
  if (phase === 'waiting') return asked?.what === 'approve' ? ['approve', 'refuse'] : ['done', 'refuse'];
  if (phase === 'failed' || phase === 'timed-out') {
    return verdict === undefined || verdict === 'stop' ? verdictsOf(step) : [];
  }
  if (phase === 'died' && asked?.what === 'died') return verdictsOf(step);
  return [];
}

function onlyWaiting(state: RunState, answer: StepAnswered['answer']): StepState {
  const waiting = state.steps.filter((step) => answersTo(step).includes(answer));
  if (waiting.length === 1) return waiting[0]!;
  const known = waiting.map(({ plan }) => plan.id);
  throw known.length === 0
    ? refusal(`nothing of ${state.id} waits for that`, `See \`holdfast incident show ${state.id}\`.`)
    : refusal(`several steps of ${state.id} wait for that`, `Name one: ${known.join(', ')}.`);
}

function namedStep(state: RunState, id: string): StepState {
  const step = state.steps.find(({ plan }) => plan.id === id);
  if (step !== undefined) return step;
  const known = state.steps.map(({ plan }) => plan.id).join(', ');
  throw refusal(`${state.id} has no step ${JSON.stringify(id)}`, `It has: ${known}.`);
}

function notTaken({ id }: RunState, step: StepState, answer: string, takes: readonly string[]): HoldfastError {
  const { plan, phase } = step;
  const hint =
    takes.length === 0
      ? `It is ${phase}, and waits for nobody. See \`holdfast incident show ${id}\`.`
      : `It takes: ${takes.map((each) => `\`holdfast incident answer ${id} ${plan.id} ${each}\``).join(', ')}.`;
  return refusal(`${plan.id} is ${phase}, and does not take "${answer}"`, hint);
}

/** The contact as whom a person may answer. @throws answer-refused */
function contactOf(
  { plan }: Workspace,
  { asked, phase }: StepState,
  { by, as }: { by: string; as?: string },
): string | undefined {
  const of = phase === 'waiting' ? asked?.of : undefined;
  if (of === undefined) return as;
  const mayBe = (id: string): boolean => plan.contacts.get(id)?.accounts?.includes(by) ?? true;
  if (as === undefined) {
    const possible = of.filter(mayBe);
    if (possible.length === 1) return possible[0];
    throw refusal(
      `${by} may answer as ${possible.length === 0 ? 'none' : 'several'} of ${of.join(', ')}`,
      possible.length === 0 ? 'Have one of them answer.' : `Say as whom: \`--as ${possible[0]}\`.`,
    );
  }
  if (!of.includes(as)) throw refusal(`${as} is not asked`, `Those who are: ${of.join(', ')}.`);
  if (mayBe(as)) return as;
  const accounts = plan.contacts.get(as)?.accounts?.join(', ') ?? '';
  throw refusal(`${by} is not ${as}`, `By the plan these accounts are: ${accounts}.`);
}

/** A person who said it before counts once, as whomever. */
function refuseTwice({ asked, phase }: StepState, by: string, answer: string): void {
  if (phase !== 'waiting' || answer === 'refuse') return;
  if (!asked?.answers.some((each) => each.by === by && each.answer === answer)) return;
  throw refusal(`${by} said so before, and counts once`, 'Another person is to say it, from an account of their own.');
}

function refusal(message: string, hint: string): HoldfastError {
  return new HoldfastError('answer-refused', message, { hint });
}
