import type { Check } from '../../index.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import type { ClusterContents } from './details.ts';

/** A manifest is read whole: it names no more tables than these. */
export const MOST_TABLES = 10_000;
/** How many rows a table must have had for a proof to fail where it has none. Below, the server's estimate says too little. */
const MANY_ROWS = 1000;
/** So many names are told of. */
const NAMED = 5;

/** What is in a cluster at one look: databases by oid and, of one database, tables by oid. */
export interface ContentsSeen {
  databases: Map<string, string>;
  tables: Map<string, TableSeen>;
  /** There are more tables than these. */
  isCapped: boolean;
}

interface TableSeen {
  name: string;
  /** Another one after the table was truncated or written anew. */
  file: string | null;
  /** By the server's statistics; none of what comes back empty from a backup. */
  live: number | undefined;
  deleted: number;
}

/**
 * Looks at what there is, over an ordinary connection. It reads no table but the catalogues.
 * @param mostTables no more than these, the oldest first
 */
export async function lookAtContents(session: Session, mostTables: number = Infinity): Promise<ContentsSeen> {
  const databases = await session.query('list the databases', 'SELECT oid::text, datname FROM pg_catalog.pg_database');
  const rows = await session.query('list the tables', sqlFile('contents'), [
    mostTables === Infinity ? null : mostTables + 1,
  ]);
  const tables = rows.slice(0, mostTables).map(({ oid, qualified, file, live, deleted }): [string, TableSeen] => [
    oid ?? '',
    {
      name: qualified ?? '',
      file: file ?? null,
      live: live === null ? undefined : Number(live),
      deleted: Number(deleted),
    },
  ]);
  return {
    databases: new Map(databases.map(({ oid, datname }) => [oid ?? '', datname ?? ''])),
    tables: new Map(tables),
    isCapped: rows.length > mostTables,
  };
}

/**
 * What was there before a backup and is there after it, as the same object under the same name: that much the backup must
 * have, at whichever moment in between it ended.
 */
export function lastingContents(before: ContentsSeen, after: ContentsSeen): ClusterContents {
  const databases = [...before.databases].filter(([oid, name]) => after.databases.get(oid) === name);
  const tables: ClusterContents['tables'] = [];
  for (const [oid, was] of before.tables) {
    const is = after.tables.get(oid);
    if (is?.name !== was.name) continue;
    const rows = lastingRows(was, is);
    tables.push({ name: was.name, ...(rows !== undefined && { rows }) });
  }
  const isCapped = before.isCapped || after.isCapped;
  return { databases: databases.map(([, name]) => name), tables, isCapped };
}

/** Undefined where it may have been empty in between. */
function lastingRows(was: TableSeen, is: TableSeen): number | undefined {
  if (was.live === undefined || is.live === undefined || was.file !== is.file) return undefined;
  return is.deleted - was.deleted < was.live ? Math.min(was.live, is.live) : undefined;
}

/**
 * Holds what a cluster came back with against what it must have.
 * @param rowsOf rows of the tables of the database that the plan's URL names, as they were counted; undefined where not all could be
 */
export function contentsChecks(
  expected: ClusterContents,
  database: string,
  found: { databases: readonly string[]; tables: readonly string[]; rowsOf: ReadonlyMap<string, number> | undefined },
): Check[] {
  const [databases, tables] = [new Set(found.databases), new Set(found.tables)];
  const checks = [
    missingCheck('databases', 'were there before and after the backup', expected.databases, (name) =>
      databases.has(name),
    ),
    missingCheck(
      `tables of ${database} by name`,
      `were there before and after the backup${expected.isCapped ? ` (of the first ${MOST_TABLES})` : ''}`,
      expected.tables.map(({ name }) => name),
      (name) => tables.has(name),
    ),
  ];
  const { rowsOf } = found;
  if (rowsOf === undefined) return checks;
  const full = expected.tables.filter(({ name, rows = 0 }) => rows > MANY_ROWS && rowsOf.has(name));
  const said = `had more than ${MANY_ROWS} rows before and after the backup`;
  const names = full.map(({ name }) => name);
  return [...checks, missingCheck(`rows of ${database}`, said, names, (name) => rowsOf.get(name)! > 0, 'empty')];
}

function missingCheck(
  name: string,
  which: string,
  expected: readonly string[],
  isThere: (name: string) => boolean,
  how = 'missing',
): Check {
  const missing = expected.filter((each) => !isThere(each));
  if (missing.length === 0)
    return { name, result: 'passed', detail: `none of ${expected.length} that ${which} is ${how}` };
  const named = missing.slice(0, NAMED).join(', ');
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
  return { name, result: 'failed', detail: `${how}, of ${expected.length} that ${which}: ${named}${more}` };
}
