import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { Progress } from '../../../foundation/progress.ts';

/** About how many rows there will be: what progress is measured against. */
const ROWS_ABOUT = 309_000;
const DEFAULT_LAST_ORDER_MS = Date.UTC(2026, 0, 31, 12);

interface Step {
  name: string;
  sql: string;
}

/**
 * Makes a database with the shop in it: tables, about 300,000 rows, keys, views. The rows are the same on every run.
 * @param adminUrl any database of the server, as a role that may create databases
 * @param lastOrderMs when the newest order came in, milliseconds since 1970; all other times count from it
 * @returns how many rows there are, by table
 */
export async function fillShop(
  adminUrl: string,
  database: string,
  progress: Progress,
  lastOrderMs: number = DEFAULT_LAST_ORDER_MS,
): Promise<Record<string, number>> {
  await connected(adminUrl, (client) => client.query(`create database ${pg.escapeIdentifier(database)}`));
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  progress.phase('filling the shop', { items: ROWS_ABOUT });
  return connected(url.href, async (client) => {
    await client.query(await readSql('shop.sql'));
    const rows = await insertRows(client, lastOrderMs, progress);
    for (const { sql } of await readSteps('keys.sql')) await client.query(sql);
    return rows;
  });
}

async function insertRows(client: pg.Client, lastOrderMs: number, progress: Progress): Promise<Record<string, number>> {
  const lastOrderAt = new Date(lastOrderMs).toISOString();
  await client.query("select set_config('shop.last_order_at', $1, false)", [lastOrderAt]);
  const rows: Record<string, number> = {};
  for (const { name, sql } of await readSteps('fill.sql')) {
    const inserted = insertedRows(await client.query(sql));
    if (inserted > 0) rows[name.replace(' ', '_')] = inserted;
    progress.advance({ items: inserted });
  }
  return rows;
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // What breaks the connection also fails the query.
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function readSteps(name: string): Promise<Step[]> {
  const [, ...parts] = (await readSql(name)).split(/^-- step: /m);
  return parts.map((part) => {
    const lineEnd = part.indexOf('\n');
    return { name: part.slice(0, lineEnd), sql: part.slice(lineEnd) };
  });
}

function readSql(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8');
}

function insertedRows(result: pg.QueryResult | pg.QueryResult[]): number {
  const results = Array.isArray(result) ? result : [result];
  return results.filter(({ command }) => command === 'INSERT').reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
}
