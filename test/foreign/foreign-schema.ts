/** What a schema that somebody else wrote is put through: loaded by psql, captured, restored elsewhere and compared. */

import { spawnSync } from 'node:child_process';
import { findPostgresPrograms } from '../../src/foundation/postgres-programs.ts';
import type { TestServer } from '../support/postgres.ts';
import {
  capture,
  contextOf,
  databaseTarget,
  dumpText,
  restore,
  runPostgresProgram,
  scratch,
  sourceOf,
} from '../support/postgres-source.ts';
import { withReader } from '../support/repository.ts';

/** What is run before the others of a directory, and in which order: the way of PostgreSQL's own `parallel_schedule`. */
export function scheduledFiles(schedule: string): string[] {
  const lines = schedule.split('\n').flatMap((line) => /^test:\s*(.*)$/.exec(line)?.[1] ?? []);
  return lines.flatMap((line) => line.split(/\s+/)).map((name) => `${name}.sql`);
}

/**
 * Runs SQL files in a database, one after the other, whatever fails in them: for many tests errors are what they are about.
 * @returns what psql said of each statement that failed
 */
export async function runFiles(
  url: string,
  files: readonly string[],
  { environment = {}, directory = '/' }: { environment?: Record<string, string>; directory?: string } = {},
): Promise<string[]> {
  const programs = await findPostgresPrograms({ programs: ['pg_dump', 'psql'], atLeastMajor: 15 });
  const failed: string[] = [];
  for (const file of files) {
    const { stderr, error } = spawnSync(programs.path('psql'), ['-X', '-q', '-o', '/dev/null', '-f', file, url], {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', ...environment },
    });
    if (error !== undefined) throw error;
    failed.push(...stderr.split('\n').filter((line) => / ERROR: /.test(line)));
  }
  return failed;
}

export interface Trip {
  tables: number;
  rows: number;
  /** What `compare` says of the copy, one line each. */
  differences: string[];
  notes: string[];
  /** Lines of pg_dump's text that only this copy has, or only one that stock pg_dump and pg_restore made. */
  textLines: string[];
}

/**
 * Captures a database, restores it to another server, and compares what came back: by `compare` with what was captured, and
 * by pg_dump's text with what PostgreSQL's own programs make of it.
 */
export async function roundTrip(url: string, other: TestServer, database: string): Promise<Trip> {
  const snapshot = await capture(url);
  const { problems, manifest } = snapshot.capture;
  const target = other.url(database);
  const { notes } = await restore(snapshot, target);
  const comparison = await withReader(
    snapshot.repository,
    (reader) => sourceOf('').compare(reader, databaseTarget(target), contextOf({})),
    snapshot.id,
  );
  const tables = manifest.details['tables'] as { rows: number }[];
  return {
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    differences: [
      ...problems.map(({ item, error }) => `captured without ${item}: ${error.message}`),
      ...comparison.differences.map(({ item, detail }) => `${item} ${detail}`),
    ],
    notes: [...notes, ...comparison.notes],
    textLines: onOneSide(await dumpText(await stockCopy(url, other, `${database}_stock`)), await dumpText(target)),
  };
}

async function stockCopy(url: string, other: TestServer, database: string): Promise<string> {
  const directory = `${scratch()}/stock`;
  await runPostgresProgram('pg_dump', ['--format=directory', '--no-sync', `--file=${directory}`, `--dbname=${url}`]);
  const target = await other.createDatabase(database, 'TEMPLATE template0');
  await runPostgresProgram('pg_restore', ['--exit-on-error', '--jobs=2', `--dbname=${target}`, directory]);
  return target;
}

/** Lines of one text and not of the other, marked as `diff` does. Their order says nothing: it follows object ids. */
function onOneSide(before: string, after: string): string[] {
  const counts = new Map<string, number>();
  for (const line of before.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const line of after.split('\n')) counts.set(line, (counts.get(line) ?? 0) - 1);
  return [...counts].filter(([, count]) => count !== 0).map(([line, count]) => `${count > 0 ? '-' : '+'} ${line}`);
}
