import { lstat, readdir, rm } from 'node:fs/promises';
import pg from 'pg';
import { HoldfastError } from '../../../foundation/errors.ts';

/** What a disaster took away. */
export interface Lost {
  /** The table that was dropped, with its rows, and the names of all relations that went with it. */
  dropped: { table: string; rows: number; relations: string[] };
  /** The table that was overwritten in part. */
  overwritten: { table: string; column: string; rows: number; ofRows: number };
  /** What was deleted from the uploads; links are symbolic ones, and bytes of a file with two names count once. */
  deleted: { files: number; directories: number; links: number; bytes: number };
}

/**
 * Does to the shop what people fear: drops the payments with all that depends on them, scrambles the e-mail addresses of
 * half of the customers, and empties the directory of uploads.
 * @returns what was lost
 */
export async function strike(databaseUrl: string, uploadsDirectory: string): Promise<Lost> {
  const client = new pg.Client({ connectionString: databaseUrl });
  // What breaks the connection also fails the query.
  client.on('error', () => {});
  await client.connect();
  try {
    const dropped = await dropPayments(client);
    const overwritten = await scrambleCustomers(client);
    const deleted = await emptyDirectory(uploadsDirectory);
    return { dropped, overwritten, deleted };
  } finally {
    await client.end();
  }
}

async function dropPayments(client: pg.Client): Promise<Lost['dropped']> {
  const rows = await countRows(client, 'payments');
  const before = await relationNames(client);
  await client.query('drop table payments cascade');
  const after = new Set(await relationNames(client));
  return { table: 'payments', rows, relations: before.filter((name) => !after.has(name)) };
}

async function scrambleCustomers(client: pg.Client): Promise<Lost['overwritten']> {
  const ofRows = await countRows(client, 'customers');
  const { rowCount } = await client.query(
    `update customers set email = 'x' || md5(email || id) || '@invalid.example' where id % 2 = 0`,
  );
  return { table: 'customers', column: 'email', rows: rowCount ?? 0, ofRows };
}

async function countRows(client: pg.Client, table: 'payments' | 'customers'): Promise<number> {
  const { rows } = await client.query<{ count: string }>(`select count(*) from ${table}`);
  return Number(rows[0]?.count);
}

async function relationNames(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ relname: string }>(
    `select relname from pg_class where relnamespace = 'public'::regnamespace order by relname`,
  );
  return rows.map(({ relname }) => relname);
}

async function emptyDirectory(directory: string): Promise<Lost['deleted']> {
  const deleted = { files: 0, directories: 0, links: 0, bytes: 0 };
  const seen = new Set<string>();
  await count(Buffer.from(directory), deleted, seen);
  for (const name of await readdir(directory, { encoding: 'buffer' })) {
    await rm(under(Buffer.from(directory), name), { recursive: true, force: true });
  }
  const left = await readdir(directory);
  if (left.length > 0) {
    throw new HoldfastError('internal', `${left.length} entries of ${directory} could not be deleted`);
  }
  return deleted;
}

async function count(directory: Buffer, into: Lost['deleted'], seen: Set<string>): Promise<void> {
  for (const name of await readdir(directory, { encoding: 'buffer' })) {
    const path = under(directory, name);
    const entry = await lstat(path);
    if (entry.isDirectory()) {
      into.directories++;
      await count(path, into, seen);
    } else if (entry.isSymbolicLink()) {
      into.links++;
    } else {
      into.files++;
      const identity = `${entry.dev}:${entry.ino}`;
      if (!seen.has(identity)) into.bytes += entry.size;
      seen.add(identity);
    }
  }
}

function under(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
