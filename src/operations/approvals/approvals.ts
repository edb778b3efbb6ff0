import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { ApprovedAction } from '../../plan/index.ts';
import type { Workspace } from '../workspace.ts';

/** Something that takes two persons, which one of them asked for. */
export interface Approval {
  approval: string;
  action: ApprovedAction;
  /** What exactly it is about: another subject takes another approval. */
  subject: string;
  why: string;
  /** Who asked. */
  by: string;
  /** RFC 3339. */
  asked: string;
  /** Another person who agreed, and did so before it expired. */
  givenBy?: string;
  state: 'waiting' | 'given' | 'used' | 'expired';
}

/** What was asked for and not done within this time is to be asked for again. */
const VALID_MS = 7 * 24 * 3600_000;

/**
 * What was asked for and what became of it, oldest first. Pure. An approval by whoever asked counts for nothing, whatever is in
 * the ledger; one that was used counts no more.
 * @param events of the ledger of the plan's first repository, oldest first
 */
export function approvalsIn(events: readonly LedgerEvent[], nowMs: number): Approval[] {
  const approvals = new Map<string, Approval>();
  for (const event of events) {
    const { kind, body, time } = event;
    if (kind === 'approval.asked' && !approvals.has(body.approval)) {
      const { approval, action, subject, why } = body;
      const asked = { approval, action: action as ApprovedAction, subject, why, by: personOf(event), asked: time };
      const isOld = Date.parse(time) + VALID_MS <= nowMs;
      approvals.set(approval, { ...asked, state: isOld ? 'expired' : 'waiting' });
    } else if (kind === 'approval.given') {
      const found = approvals.get(body.approval);
      const isOther = found !== undefined && found.by !== personOf(event);
      if (isOther && found.state === 'waiting' && Date.parse(time) < Date.parse(found.asked) + VALID_MS) {
        Object.assign(found, { givenBy: personOf(event), state: 'given' });
      }
    } else if (kind === 'approval.used') {
      const found = approvals.get(body.approval);
      if (found !== undefined) found.state = 'used';
    }
  }
  return [...approvals.values()];
}

/** Who somebody is, on whichever machine: the account's name, or who the API knows. */
function personOf({ actor, body }: Extract<LedgerEvent, { kind: 'approval.asked' | 'approval.given' }>): string {
  return body.by ?? actor.slice(0, actor.lastIndexOf('@'));
}

/** Whose call it is, where that is not whoever runs this process: of the API, whom a token belongs to. */
export interface Person {
  by?: string;
}

/**
 * Goes on only where this takes one person, or another one has agreed to just this: then that approval is used up. Else it is
 * asked for, once.
 * @throws approval-needed
 */
export async function requireApproval(
  workspace: Workspace,
  { action, subject, why }: Pick<Approval, 'action' | 'subject' | 'why'>,
  { by }: Person = {},
): Promise<void> {
  const ledger = await ledgerOfApprovals(workspace);
  const same = approvalsIn(await ledger.read(), workspace.environment.clock.nowMs()).filter(
    (each) => each.action === action && each.subject === subject,
  );
  const given = same.find(({ state }) => state === 'given');
  if (given !== undefined) {
    await ledger.append('approval.used', { approval: given.approval });
    return;
  }
  const waiting = same.find(({ state }) => state === 'waiting');
  const approval = waiting?.approval ?? randomBytes(4).toString('hex');
  if (waiting === undefined) {
    await ledger.append('approval.asked', { approval, action, subject, why, ...(by !== undefined && { by }) });
  }
  throw new HoldfastError('approval-needed', `this takes two persons (${action}): nothing was done`, {
    hint: `Have another person say \`holdfast approve ${approval}\` within 7 days, and then do the same again.`,
    context: { approval, action, subject },
  });
}

/** What was asked for, oldest first. */
export async function listApprovals(workspace: Workspace): Promise<Approval[]> {
  const ledger = await ledgerOfApprovals(workspace);
  return approvalsIn(await ledger.read(), workspace.environment.clock.nowMs());
}

/**
 * Agrees to what another person asked for. Nothing is done by it: whoever asked does it again.
 * @param id may be shortened
 * @throws unknown-approval where nothing waits that begins so; approval-refused for whoever asked
 */
export async function approve(workspace: Workspace, id: string, { by }: Person = {}): Promise<Approval> {
  const ledger = await ledgerOfApprovals(workspace);
  const before = await listApprovals(workspace);
  const waiting = before.filter(({ approval, state }) => state === 'waiting' && approval.startsWith(id));
  if (waiting.length !== 1) {
    const known = before.filter(({ state }) => state === 'waiting').map(({ approval }) => approval);
    throw new HoldfastError('unknown-approval', `nothing that waits for an approval is called ${id}`, {
      hint: known.length === 0 ? 'Nothing waits for one.' : `What waits: ${known.join(', ')}.`,
    });
  }
  const { approval } = waiting[0]!;
  await ledger.append('approval.given', { approval, ...(by !== undefined && { by }) });
  const after = (await listApprovals(workspace)).find((each) => each.approval === approval)!;
  if (after.state === 'given') return after;
  throw new HoldfastError('approval-refused', `${after.by} asked for ${approval}, and cannot agree to it alone`, {
    hint: 'Another person is to say it, from an account of their own.',
    context: { approval },
  });
}

/** One place for all of them: the plan's first repository. */
async function ledgerOfApprovals(workspace: Workspace): Promise<Awaited<ReturnType<Workspace['open']>>['ledger']> {
  const [home] = workspace.homeNames;
  if (home === undefined) throw new HoldfastError('internal', 'the plan has no repository to record approvals in');
  return (await workspace.open(home)).ledger;
}
