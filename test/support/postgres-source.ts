/** What tests of the PostgreSQL source share: capture, restore and validation through a real repository in memory. */

import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TreeNode } from '../../src/format/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { findPostgresPrograms, type PostgresProgram } from '../../src/foundation/postgres-programs.ts';
import { noProgress, type Progress } from '../../src/foundation/progress.ts';
import type { Target } from '../../src/foundation/target.ts';
import type { Selection } from '../../src/repository/index.ts';
import type { Repository } from '../../src/repository/repository.ts';
import type { Capture, Check, Restored } from '../../src/source/index.ts';
import { createPostgresSource, type PostgresSourceOptions } from '../../src/source/postgres/index.ts';
import { testRepository, withReader, writeSnapshot } from './repository.ts';

export type PlannedChecks = PostgresSourceOptions['validate'];

/** A snapshot of a database, and the repository that holds it. */
export interface CapturedSnapshot {
  repository: Repository;
  id: string;
  capture: Capture;
}

export interface WorkOptions {
  signal?: AbortSignal;
  progress?: Progress;
  scratchDirectory?: string;
  lockTimeoutMs?: number;
  partBytes?: number;
  selection?: Selection;
  as?: string;
  sandbox?: Extract<Target, { kind: 'database' }>;
  /** Makes the manifest's details others than they are. */
  alter?: (details: Record<string, unknown>) => Record<string, unknown>;
}

export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'scratch-'));
}

export function contextOf({ signal, progress, scratchDirectory, selection, as, sandbox }: WorkOptions) {
  return {
    clock: systemClock,
    progress: progress ?? noProgress,
    signal: signal ?? new AbortController().signal,
    scratchDirectory: scratchDirectory ?? scratch(),
    ...(selection && { selection }),
    ...(as !== undefined && { as }),
    ...(sandbox && { sandbox }),
  };
}

export function sourceOf(url: string, validate: PlannedChecks = [], more: Partial<PostgresSourceOptions> = {}) {
  return createPostgresSource({ name: 'db', url: async () => url, validate, version: '0.0.0', ...more });
}

function withoutSelection({ selection: _, ...context }: ReturnType<typeof contextOf>) {
  return context;
}

/** Captures a database into a repository of its own, as a backup does. */
export async function capture(url: string, options: WorkOptions = {}): Promise<CapturedSnapshot> {
  const repository = await testRepository();
  let captured: Capture | undefined;
  const { id } = await writeSnapshot(repository, async (writer) => {
    const { lockTimeoutMs, partBytes } = options;
    const source = sourceOf(url, [], {
      ...(lockTimeoutMs !== undefined && { lockTimeoutMs }),
      ...(partBytes !== undefined && { partBytes }),
    });
    captured = await source.capture(writer, {
      ...withoutSelection(contextOf(options)),
      ...(options.selection?.only && { selection: { only: options.selection.only } }),
      previous: undefined,
    });
    const stream = await writer.openFile();
    const details = options.alter?.(captured.manifest.details) ?? captured.manifest.details;
    await stream.write(Buffer.from(JSON.stringify({ ...captured.manifest, details })));
    const { content, sizeBytes } = await stream.end();
    const file: TreeNode = { name: 'manifest.json', type: 'file', mode: 0o600, size: sizeBytes, content };
    const subtree = await writer.saveTree([file]);
    return [...captured.roots, { name: '.holdfast', type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree }];
  });
  return { repository, id, capture: captured! };
}

export function databaseTarget(url: string, sandbox = false): Extract<Target, { kind: 'database' }> {
  return { kind: 'database', url, label: 'the target', sandbox };
}

export function restore(
  { repository, id }: CapturedSnapshot,
  target: Target | string,
  options: WorkOptions = {},
): Promise<Restored> {
  const where = typeof target === 'string' ? databaseTarget(target) : target;
  return withReader(repository, (reader) => sourceOf('').restore(reader, where, contextOf(options)), id);
}

export function validate(
  { repository, id, capture: { timeMs } }: CapturedSnapshot,
  url: string,
  planned: PlannedChecks = [],
  options: WorkOptions = {},
): Promise<Check[]> {
  const context = { ...contextOf(options), timeMs };
  const source = sourceOf('', planned);
  return withReader(
    repository,
    async (reader) => (await source.validate(reader, databaseTarget(url), context)).checks,
    id,
  );
}

/** The checks that did not pass, as `name: detail`. */
export function failures(checks: readonly Check[]): string[] {
  return checks.filter(({ result }) => result !== 'passed').map(({ name, detail }) => `${name}: ${detail}`);
}

/** Runs one of PostgreSQL's programs, and gives what it printed. */
export async function runPostgresProgram(program: PostgresProgram, programArguments: string[]): Promise<string> {
  const { HOLDFAST_POSTGRES_BIN: _, ...environment } = process.env;
  const programs = await findPostgresPrograms({ programs: [program], atLeastMajor: 15 }, environment);
  const run = promisify(execFile);
  const { stdout } = await run(programs.path(program), programArguments, {
    maxBuffer: 1 << 30,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', PGTZ: 'UTC' },
  });
  return stdout;
}

/** All of a database as stock pg_dump writes it, without the lines that differ from one run to the next. */
export async function dumpText(url: string): Promise<string> {
  const text = await runPostgresProgram('pg_dump', ['--no-sync', `--dbname=${url}`]);
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

/** What was thrown. @throws when nothing was */
export async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** The same, where it must be one of ours. */
export async function failure(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await errorOf(work);
  if (!(error instanceof HoldfastError)) throw error;
  return error;
}
