import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { ChainedEvents } from './chain-writer.ts';
import { chainKey, encodeChainObject, type ReadEvent, sha256 } from './objects.ts';
import { readLedgerObject } from './read-objects.ts';
import type { LedgerStorage } from './storage.ts';

/**
 * Puts events of a chain that may be there already, wholly or in part, by whoever tried before: by their own names nothing
 * is there twice.
 * @param isNew that nobody can have tried before: then it is not looked first
 * @throws repository-damaged when something else lies in their place
 */
export async function putChained(
  storage: LedgerStorage,
  { writer, sequence, plains }: ChainedEvents,
  isNew = false,
): Promise<void> {
  let isUnseen = isNew;
  for (let done = 0; done < plains.length; ) {
    const key = chainKey(writer, sequence + done);
    const there = isUnseen ? undefined : await eventsAt(storage, key);
    isUnseen = false;
    if (there === undefined) {
      try {
        await storage.putNew(key, storage.seal(encodeChainObject(plains.slice(done))));
        return;
      } catch (error) {
        if (!isHoldfastError(error, 'object-exists')) throw error;
        continue;
      }
    }
    for (const [index, { hash }] of there.entries()) {
      const own = plains[done + index];
      if (own !== undefined && sha256(own) !== hash) throw occupied(key);
    }
    done += there.length;
  }
}

async function eventsAt(storage: LedgerStorage, key: string): Promise<ReadEvent[] | undefined> {
  try {
    return await readLedgerObject(storage, key);
  } catch (error) {
    if (!isHoldfastError(error, 'object-missing')) throw error;
    return undefined;
  }
}

function occupied(key: string): HoldfastError {
  return new HoldfastError('repository-damaged', `another event lies in the place ${key} of the ledger`, {
    hint: 'Somebody with the password of the repository wrote it there. The event stays where it is kept now.',
    context: { key },
  });
}
