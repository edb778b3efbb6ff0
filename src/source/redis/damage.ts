/** A fault in one key, for whoever wants to know that it is found. */
import type { Damaged } from '../index.ts';
import { Connection } from './connection/connection.ts';
import { parseLocation } from './connection/location.ts';
import { inspectServer } from './server.ts';

/** Gives one key another name. @returns undefined where the server has no key */
export async function damageKey(url: string, signal: AbortSignal): Promise<Damaged | undefined> {
  const connection = await Connection.open(parseLocation(url), { side: 'target', signal });
  try {
    for (const database of (await inspectServer(connection)).databases.keys()) {
      await connection.call('choose the database', ['SELECT', database]);
      const key = await connection.call('find a key', ['RANDOMKEY']);
      if (key === null) continue;
      const name = Buffer.isBuffer(key) ? key : Buffer.from(String(key));
      await connection.call('rename a key', ['RENAME', name, Buffer.concat([name, Buffer.from('~')])]);
      return { what: `the name of a key of database ${database}`, items: ['keys ', name.toString()] };
    }
    return undefined;
  } finally {
    connection.destroy();
  }
}
