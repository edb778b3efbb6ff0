import { snapshotTimeMs } from '../../format/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { judge, type KeepReason as KeptByRule, type RetentionPolicy } from '../../schedule/index.ts';
import { isPartial, isWal } from '../snapshots-of.ts';

/**
 * Why a snapshot stays: a rule of the plan; or that it is the newest complete one that did not fail its proof, or the
 * newest proven one, which stay whatever the rules say; or that the plan has no retention; or that it holds a part of the log,
 * which any backup before it may need.
 */
export type KeepReason = KeptByRule | { rule: 'newest-complete' | 'newest-proven' | 'no-retention' | 'log' };

export interface DecidedSnapshot {
  snapshot: StoredSnapshot;
  /** Empty: it goes. */
  reasons: KeepReason[];
}

/** What is known of a source's snapshots beyond their time, by tree. */
export type ProofOutcome = (tree: string) => 'proven' | 'failed' | 'not-provable' | undefined;

/**
 * What becomes of a source's snapshots, newest first. Pure; `snapshots` come oldest first.
 *
 * A partial snapshot takes no place of a complete one: the rules count the complete ones by themselves, and then all
 * together, and what either count keeps stays.
 */
export function decideRetention(
  snapshots: readonly StoredSnapshot[],
  policy: RetentionPolicy | undefined,
  { timezone, nowMs, proofOf }: { timezone: string; nowMs: number; proofOf: ProofOutcome },
): DecidedSnapshot[] {
  const dated = snapshots
    .filter((snapshot) => !isWal(snapshot))
    .map((snapshot) => ({
      snapshot,
      timeMs: snapshotTimeMs(snapshot),
      ...(snapshot.tags && { tags: snapshot.tags }),
    }));
  const complete = dated.filter(({ snapshot }) => !isPartial(snapshot));
  const protectedReasons = protections(
    dated.map(({ snapshot }) => snapshot),
    proofOf,
  );
  const ofComplete = new Map(
    policy && judge(complete, policy, { timezone, nowMs }).map(({ snapshot, reasons }) => [snapshot, reasons]),
  );
  const decided = judge(dated, policy ?? {}, { timezone, nowMs }).map(
    ({ snapshot: each, reasons }): DecidedSnapshot => {
      const { snapshot } = each;
      if (policy === undefined) return { snapshot, reasons: [{ rule: 'no-retention' }] };
      const byRules = ofComplete.get(each) ?? reasons;
      return { snapshot, reasons: [...byRules, ...(protectedReasons.get(snapshot.id) ?? [])] };
    },
  );
  const log = snapshots.filter(isWal).map((snapshot): DecidedSnapshot => ({ snapshot, reasons: [{ rule: 'log' }] }));
  return [...decided, ...log].sort((a, b) => snapshotTimeMs(b.snapshot) - snapshotTimeMs(a.snapshot));
}

/** @param snapshots oldest first */
function protections(snapshots: readonly StoredSnapshot[], proofOf: ProofOutcome): Map<string, KeepReason[]> {
  const reasons = new Map<string, KeepReason[]>();
  const protect = (snapshot: StoredSnapshot | undefined, rule: 'newest-complete' | 'newest-proven'): void => {
    if (snapshot !== undefined) reasons.set(snapshot.id, [...(reasons.get(snapshot.id) ?? []), { rule }]);
  };
  const complete = snapshots.filter((snapshot) => !isPartial(snapshot));
  protect(complete.findLast(({ tree }) => proofOf(tree) !== 'failed') ?? complete.at(-1), 'newest-complete');
  protect(
    snapshots.findLast(({ tree }) => proofOf(tree) === 'proven'),
    'newest-proven',
  );
  return reasons;
}
