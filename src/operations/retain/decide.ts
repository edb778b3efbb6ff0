import { snapshotTimeMs } from '../../format/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { judge, type KeepReason as KeptByRule, type RetentionPolicy } from '../../schedule/index.ts';
import type { KnownState } from '../proofs.ts';
import { isBase, isPart, isPartial, isWal } from '../snapshots-of.ts';
import { isLogNeeded, type LogStart } from './needed-log.ts';

/**
 * Why a snapshot stays: a rule of the plan; or that it is the newest complete one that did not fail its proof, or the
 * newest proven one, or the one that the newest proven moment of its log goes on from, which stay whatever the rules say; or that the plan has no retention; or that it holds a part of the log,
 * which a backup that stays may need; or that somebody holds it; or that it is what there is to go back to while a later one is suspected; or that the log, of which the plan keeps every moment within a time, goes on from it.
 */
export type KeepReason =
  | KeptByRule
  | { rule: 'newest-complete' | 'newest-proven' | 'no-retention' | 'log' }
  | { rule: 'log-begin'; since: string }
  | { rule: 'held'; why: string }
  | { rule: 'latest-clean' };

export interface DecidedSnapshot {
  snapshot: StoredSnapshot;
  /** Empty: it goes. */
  reasons: KeepReason[];
}

/** What is known of a source's snapshots beyond their time, by tree. */
export type ProofOutcome = (tree: string) => KnownState | undefined;

export interface RetentionKnowledge {
  timezone: string;
  nowMs: number;
  proofOf: ProofOutcome;
  /** Of the backup that the newest proven moment of its log was reached from. */
  provenMomentTree?: string | undefined;
  /** Why somebody holds a snapshot, if anybody does. */
  heldWhy?: (tree: string) => string | undefined;
  /** Of what there is to go back to, while something later is suspected. */
  cleanTree?: string | undefined;
  /** Where a base backup begins in the log, where that is known. */
  startOf: (base: StoredSnapshot) => LogStart | undefined;
}

/**
 * What becomes of a source's snapshots, newest first. Pure; `snapshots` come oldest first.
 *
 * A partial snapshot, or one of a part, takes no place of a complete one: the rules count the complete ones by themselves,
 * and then all together, and what either count keeps stays.
 */
export function decideRetention(
  snapshots: readonly StoredSnapshot[],
  policy: RetentionPolicy | undefined,
  { timezone, nowMs, proofOf, provenMomentTree, startOf, heldWhy = () => undefined, cleanTree }: RetentionKnowledge,
): DecidedSnapshot[] {
  const dated = snapshots
    .filter((snapshot) => !isWal(snapshot))
    .map((snapshot) => ({
      snapshot,
      timeMs: snapshotTimeMs(snapshot),
      ...(snapshot.tags && { tags: snapshot.tags }),
    }));
  const complete = dated.filter(({ snapshot }) => isComplete(snapshot));
  const protectedReasons = protections(
    dated.map(({ snapshot }) => snapshot),
    { proofOf, provenMomentTree },
  );
  for (const snapshot of snapshots) {
    const why = heldWhy(snapshot.tree);
    if (why !== undefined) protect(protectedReasons, { snapshot, reason: { rule: 'held', why } });
    if (snapshot.tree === cleanTree) protect(protectedReasons, { snapshot, reason: { rule: 'latest-clean' } });
  }
  const ofComplete = new Map(
    policy && judge(complete, policy, { timezone, nowMs }).map(({ snapshot, reasons }) => [snapshot, reasons]),
  );
  const logs = snapshots.filter(isWal);
  if (policy !== undefined && logs.length > 0) {
    protect(protectedReasons, logBegin([...ofComplete.values()].flat(), complete, proofOf));
  }
  const decided = judge(dated, policy ?? {}, { timezone, nowMs }).map(
    ({ snapshot: each, reasons }): DecidedSnapshot => {
      const { snapshot } = each;
      if (policy === undefined) return { snapshot, reasons: [{ rule: 'no-retention' }] };
      const byRules = ofComplete.get(each) ?? reasons;
      return { snapshot, reasons: [...byRules, ...(protectedReasons.get(snapshot.id) ?? [])] };
    },
  );
  const bases = decided.flatMap(({ snapshot, reasons }) => (reasons.length > 0 && isBase(snapshot) ? [snapshot] : []));
  const log = logs.map((snapshot): DecidedSnapshot => {
    const isNeeded = policy === undefined || isLogNeeded(snapshot, bases, startOf);
    return {
      snapshot,
      reasons: [...(isNeeded ? [{ rule: 'log' } as const] : []), ...(protectedReasons.get(snapshot.id) ?? [])],
    };
  });
  return [...decided, ...log].sort((a, b) => snapshotTimeMs(b.snapshot) - snapshotTimeMs(a.snapshot));
}

function isComplete(snapshot: StoredSnapshot): boolean {
  return !isPartial(snapshot) && !isPart(snapshot);
}

interface Protection {
  snapshot: StoredSnapshot | undefined;
  reason: KeepReason;
}

/** What every moment `within` a time goes on from: the newest complete backup before it, which did not fail its proof if there is one. */
function logBegin(
  reasons: readonly KeptByRule[],
  complete: readonly { snapshot: StoredSnapshot; timeMs: number }[],
  proofOf: ProofOutcome,
): Protection | undefined {
  const since = reasons.find(({ rule }) => rule === 'within')?.since;
  if (since === undefined) return undefined;
  const before = complete.filter(({ snapshot, timeMs }) => isBase(snapshot) && timeMs <= Date.parse(since));
  const begin = before.findLast(({ snapshot }) => proofOf(snapshot.tree) !== 'failed') ?? before.at(-1);
  return { snapshot: begin?.snapshot, reason: { rule: 'log-begin', since } };
}

/** @param snapshots oldest first */
function protections(
  snapshots: readonly StoredSnapshot[],
  { proofOf, provenMomentTree }: Pick<RetentionKnowledge, 'proofOf' | 'provenMomentTree'>,
): Map<string, KeepReason[]> {
  const reasons = new Map<string, KeepReason[]>();
  const complete = snapshots.filter(isComplete);
  const newest = complete.findLast(({ tree }) => proofOf(tree) !== 'failed') ?? complete.at(-1);
  const proven = snapshots.findLast((snapshot) => proofOf(snapshot.tree) === 'proven' && !isPart(snapshot));
  protect(reasons, { snapshot: newest, reason: { rule: 'newest-complete' } });
  protect(reasons, { snapshot: proven, reason: { rule: 'newest-proven' } });
  const moment = snapshots.findLast(({ tree }) => tree === provenMomentTree);
  if (moment !== proven) protect(reasons, { snapshot: moment, reason: { rule: 'newest-proven' } });
  return reasons;
}

function protect(reasons: Map<string, KeepReason[]>, protection: Protection | undefined): void {
  if (protection?.snapshot === undefined) return;
  const { id } = protection.snapshot;
  reasons.set(id, [...(reasons.get(id) ?? []), protection.reason]);
}
