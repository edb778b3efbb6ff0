import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { sideBySide } from '../foundation/promises.ts';
import { decodeLedgerObject, parseLedgerKey, type ReadEvent } from './objects.ts';
import type { LedgerStorage, StoredLedgerObject } from './storage.ts';

const READ_AT_ONCE = 32;
/** From so many objects on, or so many bytes of them, reading all of them takes longer than keeping them. */
const LARGE_OBJECTS = 256;
const LARGE_BYTES = 256 * 1024;

/** Whether it is worthwhile to keep on this machine what was read of such a ledger. */
export function isLarge(listed: readonly StoredLedgerObject[]): boolean {
  return listed.length >= LARGE_OBJECTS || listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) >= LARGE_BYTES;
}

/** The objects of the ledger. What has another name is none. */
export async function listLedger(storage: LedgerStorage): Promise<StoredLedgerObject[]> {
  const stored: StoredLedgerObject[] = [];
  for await (const entry of storage.list()) if (parseLedgerKey(entry.key) !== undefined) stored.push(entry);
  return stored;
}

/** The events of an object. @throws object-missing, repository-damaged, repository-unsupported; the store's errors */
export async function readLedgerObject(storage: LedgerStorage, key: string): Promise<ReadEvent[]> {
  return openLedgerObject(storage, key, await storage.get(key));
}

/** The events of an object whose bytes are there already. @throws repository-damaged, repository-unsupported */
export function openLedgerObject(storage: Pick<LedgerStorage, 'unseal'>, key: string, sealed: Uint8Array): ReadEvent[] {
  return decodeLedgerObject(key, unsealed(storage, key, sealed));
}

/** The content of an object whose bytes are there already. @throws repository-damaged */
export function unsealed(storage: Pick<LedgerStorage, 'unseal'>, key: string, sealed: Uint8Array): Buffer {
  let plain: Uint8Array;
  try {
    plain = storage.unseal(sealed);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(error.code, `the ledger's event ${key}: ${error.message}`, {
      context: { key },
      cause: error,
    });
  }
  return Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
}

/**
 * Reads objects, some at a time, and gives the events of each to `take`, in no order of theirs.
 * @param onDamaged is told of what is not what was written; it is thrown without it
 * @returns of which nothing is there any more: since it was listed it was removed
 */
export async function readEach(
  storage: LedgerStorage,
  keys: readonly string[],
  take: (key: string, events: ReadEvent[]) => void,
  onDamaged?: (key: string, error: HoldfastError) => void,
): Promise<{ key: string; error: HoldfastError }[]> {
  const gone: { key: string; error: HoldfastError }[] = [];
  await sideBySide(keys, READ_AT_ONCE, async (key) => {
    try {
      take(key, await readLedgerObject(storage, key));
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) gone.push({ key, error });
      else if (onDamaged !== undefined && isHoldfastError(error, 'repository-damaged')) onDamaged(key, error);
      else throw error;
    }
  });
  return gone;
}
