import { randomBytes } from 'node:crypto';
import { isHoldfastError } from '../../foundation/errors.ts';
import { allOver, settled } from '../../foundation/promises.ts';
import { type ObjectStore, PROBE_PREFIX, type StoreCapabilities } from '../index.ts';

/** Enough that a server which decides nothing lets several win. */
const RACERS = 6;

/**
 * Finds out what a store honours of what it claims: writes small objects, looks at what came of them, and removes them.
 * @throws the store's errors: then nothing is known
 */
export async function probe(store: ObjectStore): Promise<StoreCapabilities> {
  const claimed = await store.capabilities();
  const prefix = `${PROBE_PREFIX}${randomBytes(8).toString('hex')}/`;
  // From afar each step is a round trip, and neither looks at the other's object.
  const [conditionalPut, listing] = await allOver([
    claimed.conditionalPut && decidesRaces(store, `${prefix}raced`),
    listsAtOnce(store, prefix, claimed.consistentListing),
  ]);
  return { conditionalPut, ...listing };
}

/** Whether of several that put the same key one wins, all others are told so, and the winner's content stays. */
async function decidesRaces(store: ObjectStore, key: string): Promise<boolean> {
  const contents = Array.from({ length: RACERS }, (_, index) => Buffer.from(`racer ${index}`));
  try {
    const results = await Promise.allSettled(contents.map((content) => store.put(key, content, { ifAbsent: true })));
    const losses = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    for (const loss of losses) {
      if (isHoldfastError(loss, 'object-exists')) continue;
      // A server that does not know the condition refuses it.
      if (isHoldfastError(loss, 'store-failed')) return false;
      throw loss;
    }
    const winner = contents[results.findIndex(({ status }) => status === 'fulfilled')];
    if (losses.length !== RACERS - 1 || winner === undefined) return false;
    const late = await store.put(key, Buffer.from('late'), { ifAbsent: true }).then(
      () => 'taken',
      (error: unknown) => (isHoldfastError(error, 'object-exists') ? 'refused' : Promise.reject(error)),
    );
    return late === 'refused' && winner.equals(await store.get(key));
  } finally {
    // Whoever may not delete leaves it: a few bytes.
    await settled(store.delete(key));
  }
}

/** Whether a listing shows at once what was put and deleted, and whether these credentials may delete. */
async function listsAtOnce(
  store: ObjectStore,
  prefix: string,
  isClaimed: boolean,
): Promise<Pick<StoreCapabilities, 'consistentListing' | 'deletes'>> {
  const key = `${prefix}plain`;
  let deleted: 'hidden' | 'shown' | 'refused' | undefined;
  try {
    await store.put(key, Buffer.from('probe'));
    const isShown = isClaimed && (await isListed(store, prefix, key));
    deleted = await tryToDelete(store, prefix, key);
    // Who may not delete never needs to know what a listing shows of it.
    const consistentListing = isShown && deleted !== 'shown';
    return { consistentListing, ...(deleted === 'refused' && { deletes: false }) };
  } finally {
    if (deleted === undefined) await settled(store.delete(key));
  }
}

async function isListed(store: ObjectStore, prefix: string, key: string): Promise<boolean> {
  for await (const object of store.list(prefix)) if (object.key === key) return true;
  return false;
}

async function tryToDelete(store: ObjectStore, prefix: string, key: string): Promise<'hidden' | 'shown' | 'refused'> {
  try {
    await store.delete(key);
  } catch (error) {
    if (isHoldfastError(error, 'permission-denied')) return 'refused';
    throw error;
  }
  return (await isListed(store, prefix, key)) ? 'shown' : 'hidden';
}
