import { isHoldfastError } from '../../../foundation/errors.ts';
import type { Connection } from '../connection/connection.ts';
import { openPayload } from '../rdb/payload.ts';
import { type RdbEntry, RdbReader } from '../rdb/reader.ts';
import { RdbWriter } from '../rdb/writer.ts';
import { expiryOf } from '../scan/scan.ts';

/** A key that is there already. */
export interface TakenKey {
  /** For a person. */
  name: string;
  database: number;
  key: Buffer;
  /** What a backup has of it: see `digestOf`. */
  digest: string;
}

/** Of key, value and time to live, in whichever form a server keeps them. */
export function digestOf({ low, high }: Pick<RdbEntry, 'low' | 'high'>): string {
  return `${high}.${low}`;
}

/**
 * Which keys of a server are not what a backup has of them, or cannot be looked at: a run before this one that was killed has put
 * the others there, or nothing has changed in them. Chooses databases.
 */
export async function otherKeys(connection: Connection, taken: readonly TakenKey[]): Promise<TakenKey[]> {
  const found = new Map<string, string>();
  const nameOf = ({ database, key }: Pick<RdbEntry, 'database' | 'key'>) => `${database}:${key.toString('latin1')}`;
  const reader = new RdbReader({ origin: 'source', onKey: (entry) => found.set(nameOf(entry), digestOf(entry)) });
  let writer: RdbWriter | undefined;
  let database: number | undefined;
  for (const each of taken) {
    const parts = await dumped(connection, each);
    if (parts === undefined) continue;
    if (writer === undefined) {
      writer = new RdbWriter(parts.version, 'Redis', '0');
      reader.write(writer.head());
    }
    if (database !== each.database) reader.write(writer.database(each.database));
    database = each.database;
    for (const bytes of writer.entry(each.key, parts, parts.expiresMs)) reader.write(writer.raw(bytes));
  }
  if (writer !== undefined) {
    reader.write(writer.end());
    reader.end();
  }
  return taken.filter((each) => found.get(nameOf(each)) !== each.digest);
}

/** @returns undefined where it is gone, or this user may not look at it */
async function dumped(connection: Connection, { database, key }: TakenKey) {
  try {
    await connection.call('choose a database', ['SELECT', database]);
    const value = await connection.call('look at a key', ['DUMP', key]);
    const expiresMs = await expiryOf(connection, key);
    if (!Buffer.isBuffer(value) || expiresMs === 'gone') return undefined;
    return { ...openPayload(value), expiresMs };
  } catch (error) {
    if (isHoldfastError(error, 'target-failed')) return undefined;
    throw error;
  }
}
