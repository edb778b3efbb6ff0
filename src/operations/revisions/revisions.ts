import { createHash } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent, PlanApplied } from '../../ledger/index.ts';
import {
  type ApprovedAction,
  diffPlans,
  type LoadedPlan,
  type PlanChange,
  parsePlan,
  showPlan,
  type Weakening,
  weakenedBy,
} from '../../plan/index.ts';
import { type Person, requireApproval } from '../approvals/approvals.ts';
import { eachRepository } from '../attempt-each.ts';
import { decidingEvents } from '../deciding-events.ts';
import { homeLedgers } from '../home-ledgers.ts';
import type { Workspace } from '../workspace.ts';

/** A version of the plan that somebody applied. */
export interface Revision extends PlanApplied {
  /** user@host. */
  by: string;
  /** RFC 3339. */
  time: string;
}

/** What a plan is beside the revision that was applied last. */
export interface PlanDifference {
  /** The revision that it is held against; absent where none was applied. */
  revision?: number;
  changes: PlanChange[];
  weakened: Weakening[];
}

export interface AppliedPlan extends PlanDifference {
  revision: number;
  sha256: string;
  /** Where it was recorded. */
  repositories: string[];
  /** Of those of the plan that are not there yet: they learn it with the next revision. */
  without: string[];
}

/** The revisions of a plan, oldest first, each once. Pure. */
export function revisionsIn(events: readonly LedgerEvent[]): Revision[] {
  const revisions = new Map<number, Revision>();
  for (const { kind, body, actor, time } of events) {
    if (kind === 'plan.applied') revisions.set(body.revision, { ...body, by: body.by ?? actor, time });
  }
  return [...revisions.values()].sort((one, other) => one.revision - other.revision);
}

/** The revisions that any repository of the plan knows of, oldest first. */
export async function revisionsOf(workspace: Workspace): Promise<Revision[]> {
  const { ledgers } = await homeLedgers(workspace);
  const events: LedgerEvent[] = [];
  for (const { ledger } of ledgers) events.push(...(await decidingEvents(ledger)));
  return revisionsIn(events);
}

/** What the plan's file is beside the revision that was applied last. @throws plan-invalid where this version cannot read that one */
export async function planDifference(workspace: Workspace, loaded: LoadedPlan): Promise<PlanDifference> {
  return differenceFrom((await revisionsOf(workspace)).at(-1), loaded);
}

/** The same, of a revision that is known. */
export function differenceFrom(last: Revision | undefined, loaded: LoadedPlan): PlanDifference {
  if (last === undefined) return { changes: diffPlans({}, showPlan(loaded)), weakened: [] };
  const before = parsed(last, loaded.directory);
  const changes = diffPlans(showPlan(before), showPlan(loaded));
  return { revision: last.revision, changes, weakened: weakenedBy(before.plan, loaded.plan) };
}

/**
 * Makes the plan's file the next revision: its text, with who applied it and why, goes into the ledger of each repository that
 * sources are kept in. What it weakens is recorded with it, and takes another person's approval where the plan, or the revision
 * before it, says so.
 * @throws bad-usage without a reason, or where nothing changed; approval-needed
 */
export async function applyPlan(
  workspace: Workspace,
  loaded: LoadedPlan,
  why: string,
  person: Person = {},
): Promise<AppliedPlan> {
  if (why.trim() === '')
    throw new HoldfastError('bad-usage', 'the reason is empty', { hint: 'Say with `-m` why the plan is changed.' });
  const { text } = loaded;
  const sha256 = createHash('sha256').update(text).digest('hex');
  const last = (await revisionsOf(workspace)).at(-1);
  if (last?.sha256 === sha256) {
    throw new HoldfastError('bad-usage', `revision ${last.revision} has this text already`, {
      hint: '`holdfast plan diff` says what differs from the last revision.',
    });
  }
  const difference = differenceFrom(last, loaded);
  const isWeakened = (kind: Weakening['kind']): boolean => difference.weakened.some((each) => each.kind === kind);
  const inForce = [
    ...loaded.plan.approvals.twoPersons,
    ...(last === undefined ? [] : twoPersonsOf(last, loaded.directory)),
  ];
  // Else one person alone could have what takes two take one.
  if (isWeakened('approvals') || (isWeakened('retention') && inForce.includes('retention'))) {
    await requireApproval(workspace, { action: 'retention', subject: `plan ${sha256}`, why }, person);
  }
  const revision = (last?.revision ?? 0) + 1;
  const weakened = difference.weakened.map(({ message }) => message);
  const { ledgers, without } = await homeLedgers(workspace);
  for (const { ledger } of ledgers) {
    await ledger.append('plan.applied', {
      ...{ revision, text, sha256, why },
      ...(person.by !== undefined && { by: person.by }),
      ...(weakened.length > 0 && { weakened }),
    });
  }
  return { ...difference, revision, sha256, repositories: ledgers.map(({ name }) => name), without };
}

/** What takes two persons now: what the plan says, and what the revision before it said, until another one is applied. */
export async function takesTwoPersons(workspace: Workspace, action: ApprovedAction): Promise<boolean> {
  if (workspace.plan.approvals.twoPersons.includes(action)) return true;
  const last = (await revisionsInReach(workspace)).at(-1);
  return last !== undefined && twoPersonsOf(last, workspace.plan.directory).includes(action);
}

/**
 * Where revisions of the plan are kept, a shortened retention removes nothing before it was applied: an edit of the file alone
 * is no decision.
 * @throws plan-not-applied
 */
export async function refuseUnappliedRetention(workspace: Workspace): Promise<void> {
  const last = (await revisionsInReach(workspace)).at(-1);
  if (last === undefined) return;
  const before = parsed(last, workspace.plan.directory);
  const shorter = weakenedBy(before.plan, workspace.plan).filter(({ kind }) => kind === 'retention');
  if (shorter.length === 0) return;
  throw new HoldfastError(
    'plan-not-applied',
    `${shorter.map(({ message }) => message).join(', ')} than in revision ${last.revision}, and nobody applied that: nothing was removed`,
    {
      hint: 'Say why with `holdfast plan apply -m WHY`, or bring the plan back to what it was.',
      context: { revision: last.revision },
    },
  );
}

/** Each repository knows all of them: one that is away keeps nobody from knowing. @throws what keeps all from being read */
async function revisionsInReach(workspace: Workspace): Promise<Revision[]> {
  const { repositories } = await eachRepository(workspace, workspace.homeNames, async (name) =>
    decidingEvents((await workspace.open(name)).ledger),
  );
  return revisionsIn(repositories.flat());
}

function parsed({ text, revision }: Revision, directory: string): ReturnType<typeof parsePlan> {
  return parsePlan(text, { file: `revision ${revision}`, directory });
}

function twoPersonsOf(revision: Revision, directory: string): readonly ApprovedAction[] {
  return parsed(revision, directory).plan.approvals.twoPersons;
}
