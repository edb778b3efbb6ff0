import pg from 'pg';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import type { SandboxNeed } from '../sandbox.ts';
import type { PostgresCluster } from './postgres-cluster.ts';

export type DatabaseNeed = Extract<SandboxNeed, { kind: 'postgres' }>;

/** What the empty database of a sandbox is called. */
export const SANDBOX_DATABASE = 'restored';

/** PostgreSQL says so when the operating system does not know a locale; the message names it. */
const WRONG_OBJECT_TYPE = '42809';

/**
 * Makes the empty database that takes a restore, with the encoding and locale asked for where this machine has it.
 * @returns what another locale stood in for, fit to be shown
 * @throws sandbox-failed
 */
export async function createSandboxDatabase(cluster: PostgresCluster, need: DatabaseNeed): Promise<string[]> {
  const client = new pg.Client({ connectionString: cluster.adminUrl });
  // What breaks the connection also fails the query.
  client.on('error', () => {});
  try {
    await client.connect();
    if (await tryCreate(client, need)) return [];
    const standIn = standInLocale(need.encoding);
    if (!(await tryCreate(client, { ...need, collate: standIn, ctype: standIn }))) {
      throw new Error(`the server does not know the locale ${standIn}`);
    }
    const asked = need.collate === need.ctype ? need.collate : `${need.collate} / ${need.ctype}`;
    return [`the locale ${asked} is not on this machine: ${standIn} stood in, so that text may sort differently`];
  } catch (cause) {
    throw new HoldfastError('sandbox-failed', `no database could be made in the sandbox: ${messageOf(cause)}`, {
      hint: 'What the server said last tells why.',
      context: { encoding: need.encoding, collate: need.collate, ctype: need.ctype, said: await cluster.logTail() },
      cause,
    });
  } finally {
    await settled(client.end());
  }
}

/** C.UTF-8 goes with UTF-8 alone; C goes with every encoding. */
function standInLocale(encoding: string): string {
  return /^(utf-?8|sql_ascii)$/i.test(encoding) ? 'C.UTF-8' : 'C';
}

/** @returns whether the machine has that locale */
async function tryCreate(client: pg.Client, { encoding, collate, ctype }: DatabaseNeed): Promise<boolean> {
  const options = `encoding ${literal(encoding)} lc_collate ${literal(collate)} lc_ctype ${literal(ctype)}`;
  try {
    // template0 holds nothing of this machine's, and is the only one that another locale may be made from.
    await client.query(`create database ${SANDBOX_DATABASE} template template0 ${options}`);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === WRONG_OBJECT_TYPE) return false;
    throw error;
  }
}

function literal(text: string): string {
  return pg.escapeLiteral(text);
}
