import { resolve } from 'node:path';
import { CLOCK_TOLERANCE_MS } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { EventBodies } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import { groupTargets } from '../groups/restore-group.ts';
import { type OpenedKit, openKit } from '../kit/open-kit.ts';
import { HealingWorkspace } from '../mirrors/healing-workspace.ts';
import { parseMoment } from '../snapshots-of.ts';
import type { Environment, OpenedRepository, Workspace } from '../workspace.ts';
import { type BringBackListener, bringBack, type RescueMember } from './bring-back.ts';
import { type Copy, chooseCopies, findCopies, openCopies } from './find-copies.ts';
import { type Judged, judge } from './judge.ts';
import { leftOutNotes, notUnderstood, planOfKit } from './kit-plan.ts';
import { newestPlan } from './newest-plan.ts';
import { recoveryOrder } from './order.ts';
import { readFrom, rescuePlan, unconfirmedEndpoints } from './rescue-plan.ts';
import type { RescueRequest } from './rescue-request.ts';
import { type RescueState, readState, writeState } from './rescue-state.ts';

export interface Rescued extends Judged {
  plan: string;
  /** Which version of the plan it went by, in words. */
  planFrom: string;
  /** RFC 3339: the moment that was asked for, and since when the clock runs. */
  at: string;
  since: string;
  copies: Copy[];
  members: RescueMember[];
  durationMs: number;
  notes: string[];
}

type RescueFinished = EventBodies['rescue.finished'];

/** Who is told while it goes on. */
export interface RescueListener extends BringBackListener {
  /** What answers, and which plan is gone by. */
  copies(copies: readonly Copy[], planFrom: string): void;
}

/**
 * Brings everything of a plan back on a machine that has nothing but Holdfast and the kit: finds a copy of each repository that
 * answers, takes the newest plan from its ledger, and restores every source, group by group. Run again with the same directory,
 * it goes on. One source that fails stops no other.
 * @throws path-missing, kit-damaged, wrong-password, too-few-shares; no-repository where no copy answers
 */
export async function rescue(environment: Environment, request: RescueRequest, told: RescueListener): Promise<Rescued> {
  const startedMs = environment.clock.nowMs();
  const kit = await openKit(request.kit);
  const { workspace, copies, planFrom, notes, sourcesLeftOut } = await findPlan(environment, kit);
  told.copies(copies, planFrom);
  const stages = recoveryOrder(workspace.plan);
  const targets = targetsOf(workspace.plan, request.to);
  const at = new Date(parseMoment(request.at ?? 'latest', startedMs) ?? startedMs).toISOString();
  const asked = request.at === undefined ? {} : { asked: request.at };
  const fresh = { plan: workspace.plan.name, at, ...asked, startedAt: new Date(startedMs).toISOString() };
  const directory = resolve(targets.directory);
  const state = await readState(directory, fresh);
  refuseOtherMoment(state, fresh);
  await writeState(directory, state);
  const back = await bringBack({ workspace, request, targets: targets.of, directory, state, copies, told }, stages);
  const members = [...back, ...[...sourcesLeftOut].map((left) => notUnderstood(left, stages.length + 1, kit))];
  for (const member of members.slice(back.length)) told.member(member);
  const sinceMs = parseMoment(request.since ?? state.startedAt, startedMs) ?? startedMs;
  const durationMs = environment.clock.nowMs() - sinceMs;
  const judged = judge(workspace.plan, members, { sinceMs, durationMs });
  const rescued = {
    ...{ plan: workspace.plan.name, planFrom, at: state.at, since: new Date(sinceMs).toISOString() },
    ...{ copies, members, durationMs, ...judged },
  };
  return { ...rescued, notes: [...new Set([...notes, ...(await record(workspace, kit, request, rescued))])] };
}

/** What is back already is of the moment of the first run: the rest is brought back to that, or not at all. @throws bad-usage */
function refuseOtherMoment(state: Pick<RescueState, 'at' | 'asked'>, { at, asked }: Pick<RescueState, 'at' | 'asked'>) {
  if (asked === undefined || asked === state.asked || (state.asked !== undefined && at === state.at)) return;
  const to = state.asked === undefined ? 'as new as can be' : `as it was at ${state.at}`;
  throw new HoldfastError(
    'bad-usage',
    `an earlier run has begun to bring everything back there, ${to}, and not --at ${asked}`,
    {
      hint: 'Leave `--at` out to go on, or name another directory with `--to`.',
    },
  );
}

interface FoundPlan {
  workspace: Workspace;
  copies: Copy[];
  planFrom: string;
  notes: string[];
  /** Sources of the kit's plan that this version does not understand, with why. */
  sourcesLeftOut: ReadonlyMap<string, string>;
}

/** The plan to go by, with a copy chosen for each source. */
async function findPlan(environment: Environment, { content }: OpenedKit): Promise<FoundPlan> {
  const directory = resolve('/');
  const known = planOfKit(content, directory);
  const first = new HealingWorkspace({ plan: rescuePlan(known.plan, content, environment.variables) }, environment);
  const found = await findCopies(first, unconfirmedEndpoints(known.plan, content, environment.variables));
  const opened = await openCopies(first, found);
  if (opened.length === 0) throw noCopy(found);
  const newest = await newestPlan(opened, content, directory);
  const notes = [...newest.notes, ...(await clockNotes(environment, opened))];
  if (newest.plan === undefined) {
    const { sourcesLeftOut, leftOut } = known;
    const workspace = choosing(first, found);
    return {
      workspace,
      copies: found,
      planFrom: newest.from,
      notes: [...notes, ...leftOutNotes(leftOut)],
      sourcesLeftOut,
    };
  }
  const { variables } = environment;
  const second = new HealingWorkspace({ plan: rescuePlan(newest.plan, content, variables) }, environment);
  const copies = await findCopies(second, unconfirmedEndpoints(newest.plan, content, variables));
  return { workspace: choosing(second, copies), copies, planFrom: newest.from, notes, sourcesLeftOut: new Map() };
}

function choosing({ plan, environment }: Workspace, copies: readonly Copy[]): Workspace {
  return new HealingWorkspace({ plan: readFrom(plan, chooseCopies(plan, copies)) }, environment);
}

function noCopy(copies: readonly Copy[]): HoldfastError {
  const why = copies.map(({ name, place, reason }) => `${name} (${place}): ${reason}`).join('; ');
  return new HoldfastError('no-repository', `no copy of any repository answers: ${why}`, {
    hint: 'Store credentials are not in the kit: set them as the printed page says. A directory must be mounted where it was.',
  });
}

/** What is newer than now is not looked for. */
async function clockNotes({ clock }: Environment, opened: readonly OpenedRepository[]): Promise<string[]> {
  const times = await Promise.all(opened.map(async ({ ledger }) => (await ledger.events({ limit: 1 })).at(-1)?.time));
  const newest = Math.max(...times.map((time) => (time === undefined ? 0 : Date.parse(time))));
  if (newest <= clock.nowMs() + CLOCK_TOLERANCE_MS) return [];
  return [
    `the clock of this machine is behind: it says ${new Date(clock.nowMs()).toISOString()}, and there are events of ${new Date(newest).toISOString()}. What came later than now is not looked for: set the clock, or give \`--at\``,
  ];
}

/** @throws bad-usage */
function targetsOf(plan: Plan, to: readonly string[]): { directory: string; of: Map<string, string> } {
  const directory = to.find((each) => !/^[^=/:]+=./s.test(each));
  if (directory === undefined) {
    throw new HoldfastError('bad-usage', 'rescue needs a directory', {
      hint: 'Add `--to DIRECTORY`; `--to SOURCE=TARGET` as well for each that goes elsewhere.',
    });
  }
  return { directory, of: groupTargets({ name: plan.name, sources: [...plan.sources.keys()] }, to) };
}

/**
 * In the ledger of each repository that was read as itself and can be written to. A mirror is only read: then it waits on this
 * machine.
 */
async function record(
  workspace: Workspace,
  { sha256: kit }: OpenedKit,
  { task }: RescueRequest,
  {
    copies,
    members,
    durationMs,
    outcome,
    rtoMs,
  }: Pick<Rescued, 'copies' | 'members' | 'durationMs' | 'outcome' | 'rtoMs'>,
): Promise<string[]> {
  const sources = members.map((member) => ({
    ...{ source: member.source, outcome: member.outcome === 'failed' ? member.error.code : member.outcome },
    ...(member.from !== undefined && { from: member.from }),
    ...(member.point && { time: member.point.time }),
  }));
  const body = { kit, outcome, sources, durationMs, ...(rtoMs !== undefined && { rtoMs }), ...(task && { task }) };
  const reached = copies.filter(({ reason }) => reason === undefined);
  const notes: string[] = [];
  for (const name of workspace.homeNames) {
    if (reached.some((copy) => copy.name === name)) notes.push(...(await append(workspace, name, body)));
    else if (reached.some(({ of }) => of === name)) notes.push(...(await keep(workspace, name, body)));
  }
  return notes;
}

/** @returns why it is not recorded, where that is so */
async function append(workspace: Workspace, name: string, body: RescueFinished): Promise<string[]> {
  try {
    await (await workspace.open(name)).ledger.append('rescue.finished', body);
    return [];
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    // What is back is back: it is said, whatever keeps the ledger from it.
    return [unrecorded(name, error)];
  }
}

async function keep(workspace: Workspace, name: string, body: RescueFinished): Promise<string[]> {
  try {
    const { where } = await workspace.recorder(name).record('rescue.finished', body);
    if (where === 'repository') return [];
    return [
      `the record of this waits on this machine, in ${workspace.journal(name)!.directory}: until ${name} can be written to, or a mirror of it is promoted here`,
    ];
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return [unrecorded(name, error)];
  }
}

function unrecorded(name: string, { message }: HoldfastError): string {
  return `this was not recorded in the ledger of ${name}: ${message}`;
}
