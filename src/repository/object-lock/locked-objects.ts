import { KEYS_PREFIX, LEDGER_PREFIX, SNAPSHOTS_PREFIX } from '../layout.ts';
import { kindOf, type ObjectKind } from '../mirror/objects.ts';

/** What a restore needs, and what says what happened. All else is rewritten, or must be removable at any time. */
const LOCKED: readonly ObjectKind[] = ['config', 'key', 'pack', 'index', 'snapshot', 'ledger', 'checkpoint', 'tail'];
/** Below which a repository lists what there is: without it nobody knows what is missing. */
export const HIDDEN_AT_ONCE = [SNAPSHOTS_PREFIX, KEYS_PREFIX, LEDGER_PREFIX];
/** What upkeep replaces all the time. */
const REPLACED: readonly ObjectKind[] = ['index', 'tail', 'ledger'];

/** Whether upkeep removes such an object although it is locked. */
export function isRemovedLocked(key: string): boolean {
  const kind = kindOf(key);
  return kind !== undefined && REPLACED.includes(kind);
}

/** Whether an object of a repository is locked, where the plan has objects locked. */
export function isLocked(key: string): boolean {
  const kind = kindOf(key);
  return kind !== undefined && LOCKED.includes(kind);
}
