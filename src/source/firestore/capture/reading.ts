import type { Clock } from '../../../foundation/clock.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../../../foundation/errors.ts';
import type { FirestoreDatabase } from '../../../foundation/firestore-database.ts';
import type { Pause } from '../../../foundation/pause.ts';
import type { FirestoreConnection } from '../connection.ts';
import { CODE, codeOf, firestoreFailure } from '../failures.ts';
import { readAgain } from '../restore/transient.ts';
import { type Moment, outlasted } from './moment.ts';
import type { ReadMeter } from './read-meter.ts';

/** What everything that reads for one backup shares. */
export interface Reading {
  connection: FirestoreConnection;
  name: FirestoreDatabase;
  moment: Moment;
  meter: ReadMeter;
  clock: Clock;
  pause: Pause;
  signal: AbortSignal;
}

/** What is read is tried again here, where it is known what came already. */
export const ONCE = { retry: { retryCodes: [] }, retryRequestOptions: { retries: 0, noResponseRetries: 0 } };

/** Firestore's own word for a moment that is too old. */
const TOO_OLD = /too old/i;

/** Reads, again where that failed for the moment. @throws what `readFailure` makes of it */
export async function readOrFail<T>(reading: Reading, read: () => Promise<T>): Promise<T> {
  try {
    return await readAgain(reading.pause, read);
  } catch (error) {
    throw readFailure(error, reading);
  }
}

/** @returns source-lost for a moment that is not kept any more; else what `firestoreFailure` gives; the signal's reason */
export function readFailure(error: unknown, { connection, moment, clock, name, signal }: Reading): unknown {
  if (signal.aborted) return signal.reason;
  if (isHoldfastError(error)) return error;
  if (codeOf(error) === CODE.failedPrecondition && TOO_OLD.test(messageOf(error))) {
    return outlasted(moment, clock, name, error);
  }
  return firestoreFailure(error, connection.database, 'source');
}

/** The server took the order of names for another one than Holdfast: a range that broke could not be gone on with. */
export function outOfOrder(name: string, last: string): HoldfastError {
  return new HoldfastError('source-unsupported', 'documents did not come in the order of their names', {
    context: { name, last },
  });
}
