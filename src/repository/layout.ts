/** Where restic keeps what: the keys of a repository's objects. */
export const CONFIG_KEY = 'config';
export const KEYS_PREFIX = 'keys/';
export const INDEX_PREFIX = 'index/';
export const SNAPSHOTS_PREFIX = 'snapshots/';
export const LOCKS_PREFIX = 'locks/';
export const DATA_PREFIX = 'data/';
/** Holdfast's own, beside what is restic's. */
export const HOLDFAST_PREFIX = 'holdfast/';
export const LEDGER_PREFIX = 'holdfast/ledger/';
/** What was signed of the ledger. */
export const CHECKPOINTS_PREFIX = 'holdfast/checkpoints/';
export const TAIL_PREFIX = 'holdfast/tail/';
/** Says how often a mirror of the repository was made the primary. */
export const EPOCH_KEY = 'holdfast/epoch';
/** In a mirror, while a run brings it up to date. */
export const MIRROR_LEASE_KEY = 'holdfast/mirror-lease';
/** Who alone does something for as long as it shows that it is there: `<what>/<epoch>`. */
export const LEASES_PREFIX = 'holdfast/leases/';
/** Who runs an attempt at a step of a runbook: `<run>/<step>/<attempt>`. */
export const CLAIMS_PREFIX = 'holdfast/claims/';
/** What was locked until when. Each copy of a repository has its own. */
export const HELD_KEY = 'holdfast/held';
/** Who writes and cannot remove a lock. */
export const WRITERS_PREFIX = 'holdfast/writers/';
export const MARKS_PREFIX = 'holdfast/prune/';
/** Who may use the API. */
export const TOKENS_PREFIX = 'holdfast/tokens/';
/** Damaged packs that a repair put aside; restic does not look there. */
export const DAMAGED_PREFIX = 'holdfast/damaged/';

export function snapshotKey(id: string): string {
  return `${SNAPSHOTS_PREFIX}${id}`;
}

export function indexKey(id: string): string {
  return `${INDEX_PREFIX}${id}`;
}

export function packKey(id: string): string {
  return `${DATA_PREFIX}${id.slice(0, 2)}/${id}`;
}

/** The id at the end of a key, or undefined where it is none: files that are not restic's are not looked at. */
export function idOfKey(key: string): string | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1);
  return /^[0-9a-f]{64}$/.test(name) ? name : undefined;
}
