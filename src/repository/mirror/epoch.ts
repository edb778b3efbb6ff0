import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { seal, unseal } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { ObjectStore } from '../../store/index.ts';
import { EPOCH_KEY } from '../layout.ts';
import type { Repository } from '../repository.ts';

const VERSION = 1;
const ID_BYTES = 16;

/**
 * Each time that a mirror of a repository was made the primary, by a random id, oldest first. A copy may be overwritten by
 * one that knows all of its promotions, and by no other: neither by what was the primary before, nor by another mirror that
 * was made the primary without knowing of it.
 */
export type Epoch = readonly string[];

const stored = z.object({ version: z.literal(VERSION), promotions: z.array(z.string()) });

/**
 * The epoch of one copy of a repository; empty where no mirror was ever made the primary.
 * @param store where the copy lies, when that is not where the repository does
 * @throws repository-damaged; repository-unsupported
 */
export async function readEpoch({ key, store: own }: Repository, store: ObjectStore = own): Promise<Epoch> {
  let sealed: Uint8Array;
  try {
    sealed = await store.get(EPOCH_KEY);
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return [];
    throw error;
  }
  const epoch = stored.safeParse(JSON.parse(unseal(key, sealed).toString('utf8')));
  if (epoch.success) return epoch.data.promotions;
  throw new HoldfastError('repository-unsupported', `${EPOCH_KEY} in ${store.location} has an unknown form`, {
    hint: 'Use the version of Holdfast that wrote it, or a newer one.',
  });
}

/** Makes a repository known as the primary, once more than in these epochs. @returns its epoch from now on */
export async function writeNextEpoch({ key, store }: Repository, after: Epoch): Promise<Epoch> {
  const promotions = [...after, randomBytes(ID_BYTES).toString('hex')];
  await store.put(EPOCH_KEY, seal(key, Buffer.from(JSON.stringify({ version: VERSION, promotions }))));
  return promotions;
}

/** Whether a copy in the epoch `later` knows of all that happened to one in `earlier`. */
export function succeeds(later: Epoch, earlier: Epoch): boolean {
  return earlier.every((promotion, at) => later[at] === promotion);
}
