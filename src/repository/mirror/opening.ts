import { unseal } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { ObjectStore } from '../../store/index.ts';
import { CONFIG_KEY, INDEX_PREFIX, KEYS_PREFIX, LEDGER_PREFIX, SNAPSHOTS_PREFIX } from '../layout.ts';
import { orReadAnew } from '../read-anew.ts';
import type { Repository } from '../repository.ts';
import { listObjects } from './listings.ts';
import { readAuthentic } from './objects.ts';

/** So many sealed objects of a place are tried before it is taken for another repository's. */
const TRIED_OBJECTS = 5;

/**
 * Whose a place is that cannot be opened: what is sealed there is tried with the key of a copy.
 * @returns `nobody` where nothing is sealed
 */
export async function ownerOf(store: ObjectStore, copy: Repository): Promise<'same' | 'another' | 'nobody'> {
  let tried = 0;
  for (const prefix of [SNAPSHOTS_PREFIX, INDEX_PREFIX, LEDGER_PREFIX]) {
    for (const key of (await listObjects(store, prefix)).keys()) {
      if (tried === TRIED_OBJECTS) return 'another';
      tried++;
      if (await opens(store, copy, key)) return 'same';
    }
  }
  return tried === 0 ? 'nobody' : 'another';
}

async function opens(store: ObjectStore, { key: sealingKey }: Repository, key: string): Promise<boolean> {
  try {
    await orReadAnew(async () => unseal(sealingKey, await store.get(key)));
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'repository-damaged') || isHoldfastError(error, 'object-missing')) return false;
    throw error;
  }
}

/**
 * What a place lacks, or has damaged, of what a repository cannot be opened without, and a copy has whole: key files, then
 * the configuration, each with what is wrong with it.
 */
export async function findUnopenable(
  store: ObjectStore,
  copy: Repository,
): Promise<{ key: string; reason: string; bytes: Uint8Array }[]> {
  const found: { key: string; reason: string; bytes: Uint8Array }[] = [];
  for (const key of [...(await listObjects(copy.store, KEYS_PREFIX)).keys(), CONFIG_KEY]) {
    try {
      await readAuthentic(copy, store, key);
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing') && !isHoldfastError(error, 'repository-damaged')) throw error;
      found.push({ key, reason: error.message, bytes: await readAuthentic(copy, copy.store, key) });
    }
  }
  return found;
}
