import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { DatabaseFingerprint } from './compare.ts';

/** Settings that change how a value reads as text. */
const SESSION = `
  set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601'; set bytea_output = 'hex';
  set extra_float_digits = 1; set search_path = pg_catalog; set lc_monetary = 'C'; set row_security = off`;

/**
 * What a database holds, read at one moment: per table and materialised view how many rows, and a digest of them in
 * whichever order; sequences with where they are; the definitions of all else.
 */
export async function fingerprintDatabase(databaseUrl: string): Promise<DatabaseFingerprint> {
  const client = new pg.Client({ connectionString: databaseUrl });
  // What breaks the connection also fails the query.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(SESSION);
    await client.query('begin transaction isolation level repeatable read read only');
    const definitions = await readFile(new URL('fingerprint.sql', import.meta.url), 'utf8');
    const { rows } = await client.query<{ name: string; value: string }>(definitions);
    const things = new Map(rows.map(({ name, value }) => [name, value]));
    const counted = { tables: 0, rows: 0 };
    for (const { name, kind, populated } of await relationsWithRows(client)) {
      const { count, digest } = populated ? await rowsOf(client, name) : { count: 0, digest: 'not populated' };
      things.set(`${kind} ${name}`, `${count} rows, digest ${digest}`);
      if (kind === 'table') {
        counted.tables++;
        counted.rows += count;
      }
    }
    return { ...counted, things };
  } finally {
    await client.end();
  }
}

interface RelationWithRows {
  /** Quoted, with its schema. */
  name: string;
  kind: 'table' | 'materialised view';
  populated: boolean;
}

async function relationsWithRows(client: pg.Client): Promise<RelationWithRows[]> {
  const { rows } = await client.query<RelationWithRows>(`
    select format('%I.%I', nspname, relname) as name, relispopulated as populated,
           case relkind when 'r' then 'table' else 'materialised view' end as kind
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relkind in ('r', 'm') and nspname !~ '^pg_' and nspname <> 'information_schema'
    order by name`);
  return rows;
}

/** The sum of the rows' hashes is the same in whichever order they come, and changes with any of them. */
async function rowsOf(client: pg.Client, relation: string): Promise<{ count: number; digest: string }> {
  const { rows } = await client.query<{ count: string; digest: string }>(
    `select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) as digest from ${relation} as t`,
  );
  return { count: Number(rows[0]?.count), digest: `${rows[0]?.digest}` };
}
