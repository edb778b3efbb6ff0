/** What the administrative interface says of a database, as far as the credentials may ask. */
import { messageOf } from '../../../foundation/errors.ts';
import type { FirestoreConnection, openFirestoreAdmin } from '../connection.ts';
import { millisecondsOf } from './timestamps.ts';

export interface DatabaseFacts {
  /** Of point-in-time recovery; `unknown` where nobody may be asked. */
  recovery: 'enabled' | 'disabled' | 'unknown';
  /** The earliest moment that can be read, milliseconds since 1970. */
  earliestVersionMs?: number;
  /** `nam5`, `FIRESTORE_NATIVE` */
  location?: string;
  databaseType?: string;
  /** Why nothing is known. */
  reason?: string;
}

type Admin = ReturnType<typeof openFirestoreAdmin>;

/** Never throws for what the server answers: what is not known is `unknown`, with the reason. */
export async function databaseFacts(
  admin: Admin,
  { database }: Pick<FirestoreConnection, 'database'>,
): Promise<DatabaseFacts> {
  try {
    const [found] = await admin.client.getDatabase({ name: database }, admin.callOptions);
    const { pointInTimeRecoveryEnablement, earliestVersionTime, locationId, type } = found;
    return {
      recovery: `${pointInTimeRecoveryEnablement}` === 'POINT_IN_TIME_RECOVERY_ENABLED' ? 'enabled' : 'disabled',
      ...(earliestVersionTime && { earliestVersionMs: millisecondsOf(earliestVersionTime) }),
      ...(locationId && { location: locationId }),
      ...(type && { databaseType: `${type}` }),
    };
  } catch (error) {
    return { recovery: 'unknown', reason: messageOf(error) };
  }
}
