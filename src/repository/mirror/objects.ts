import { decodePackTrailer, packTrailerLength, type SealingKey, unseal } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type ObjectStore, PROBE_PREFIX } from '../../store/index.ts';
import {
  CHECKPOINTS_PREFIX,
  CLAIMS_PREFIX,
  CONFIG_KEY,
  DAMAGED_PREFIX,
  DATA_PREFIX,
  EPOCH_KEY,
  HELD_KEY,
  HOLDFAST_PREFIX,
  INDEX_PREFIX,
  idOfKey,
  KEYS_PREFIX,
  LEASES_PREFIX,
  LEDGER_PREFIX,
  LOCKS_PREFIX,
  MARKS_PREFIX,
  MIRROR_LEASE_KEY,
  SNAPSHOTS_PREFIX,
  TAIL_PREFIX,
  WRITERS_PREFIX,
} from '../layout.ts';
import { orReadAnew } from '../read-anew.ts';
import { type Repository, sha256 } from '../repository.ts';

/** What an object of a repository is, as its key says. */
export type ObjectKind =
  | 'key'
  | 'config'
  | 'pack'
  | 'index'
  | 'snapshot'
  | 'damaged'
  | 'tail'
  | 'covered'
  | 'mark'
  | 'ledger'
  | 'checkpoint'
  | 'epoch'
  | 'other';

const NAMED_BY_DIGEST: readonly [prefix: string, kind: ObjectKind][] = [
  [KEYS_PREFIX, 'key'],
  [DATA_PREFIX, 'pack'],
  [INDEX_PREFIX, 'index'],
  [SNAPSHOTS_PREFIX, 'snapshot'],
  [MARKS_PREFIX, 'mark'],
];

const NOT_COPIED = [LOCKS_PREFIX, WRITERS_PREFIX, LEASES_PREFIX, CLAIMS_PREFIX, PROBE_PREFIX];

/** Undefined for what is no part of a repository, as what a store was tried with, or, as locks and leases, none of a copy of it. */
export function kindOf(key: string): ObjectKind | undefined {
  if (key === CONFIG_KEY) return 'config';
  if (key === EPOCH_KEY) return 'epoch';
  const named = NAMED_BY_DIGEST.find(([prefix]) => key.startsWith(prefix));
  if (named !== undefined) return idOfKey(key) === undefined ? undefined : named[1];
  if (key === HELD_KEY || key === MIRROR_LEASE_KEY) return undefined;
  if (NOT_COPIED.some((prefix) => key.startsWith(prefix))) return undefined;
  if (key.startsWith(TAIL_PREFIX)) return key.endsWith('/covered') ? 'covered' : 'tail';
  if (key.startsWith(LEDGER_PREFIX)) return 'ledger';
  if (key.startsWith(CHECKPOINTS_PREFIX)) return 'checkpoint';
  if (key.startsWith(DAMAGED_PREFIX)) return 'damaged';
  return key.startsWith(HOLDFAST_PREFIX) ? 'other' : undefined;
}

/** Whether an object has a new content now and then: all others stay as they were written. */
export function isRewritten(kind: ObjectKind): boolean {
  return kind === 'config' || kind === 'covered' || kind === 'epoch';
}

/** An object of a repository as a store has it. @throws object-missing; repository-damaged; the store's errors */
export function readAuthentic(repository: Repository, store: ObjectStore, key: string): Promise<Uint8Array> {
  return orReadAnew(async () => {
    const bytes = await store.get(key);
    authenticate(repository, key, bytes);
    return bytes;
  });
}

/**
 * That an object is what it was written as: what has its digest for a name by that, what is sealed by its seal. Of packs
 * that a repair put aside, and of what a later version wrote, nothing can be told.
 * @throws repository-damaged
 */
export function authenticate({ key: sealingKey }: Repository, key: string, bytes: Uint8Array): void {
  const kind = kindOf(key);
  if (kind === 'damaged' || kind === 'other') return;
  const isNamed = NAMED_BY_DIGEST.some(([, named]) => named === kind);
  if (isNamed && sha256(bytes) !== idOfKey(key)) throw damaged(key, 'its content does not match its name');
  if (isNamed) return;
  try {
    unseal(sealingKey, bytes);
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    throw damaged(key, error.message, error);
  }
}

/** Whether what an object holds is asked for by restores alone, so that it belongs on a store's cold class. @param bytes all of it, whole */
export function isBulk({ key: sealingKey }: Repository, key: string, bytes: Uint8Array): boolean {
  const kind = kindOf(key);
  return kind === 'damaged' || (kind === 'pack' && !beginsWithTree(sealingKey, bytes));
}

/** Whether a pack is one of trees: none has trees and content. */
function beginsWithTree(key: SealingKey, pack: Uint8Array): boolean {
  const sizeBytes = pack.byteLength;
  const trailer = Buffer.from(pack.subarray(sizeBytes - packTrailerLength(pack.subarray(-4), sizeBytes)));
  return decodePackTrailer(key, trailer, sizeBytes)[0]?.type === 'tree';
}

function damaged(key: string, how: string, cause?: unknown): HoldfastError {
  return new HoldfastError('repository-damaged', `${key} is damaged: ${how}`, { context: { key }, cause });
}
