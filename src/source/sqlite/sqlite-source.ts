import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { byteStringOfText, type TreeNode } from '../../format/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { DatabaseCheck, Resolved } from '../../plan/index.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Check,
  type Comparison,
  type ExamineContext,
  type Finding,
  findingOfError,
  type ItemCount,
  type RestoreContext,
  type Restored,
  readManifest,
  type Source,
  type ValidateContext,
  type Validation,
} from '../index.ts';
import { canOpen, captureSqlite, SQLITE_FORMAT } from './capture.ts';
import { differencesOf, noDirectory, runPlanned } from './checks.ts';
import { beginReading, failure, openDatabase, type Side } from './database.ts';
import { type DatabaseContents, inspectDatabase, integrityProblems } from './inspect.ts';
import { restoreSqlite } from './restore.ts';

export interface SqliteSourceOptions {
  name: string;
  /** Absolute. */
  path: string;
  validate: Resolved<DatabaseCheck>[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** A SQLite database: the file itself, as it was at one moment. */
export function createSqliteSource(options: SqliteSourceOptions): Source {
  return new SqliteSource(options);
}

const details = z.object({
  format: z.literal(SQLITE_FORMAT),
  file: z.string().regex(/^[^/]+$/),
  sha256: z.string(),
  tables: z.array(z.object({ name: z.string(), rows: z.number(), digest: z.string() })),
  definitions: z.array(z.object({ type: z.string(), name: z.string(), sql: z.string() })),
  ...{ userVersion: z.number(), applicationId: z.number(), pageSize: z.number() },
  ...{ encoding: z.string(), journalMode: z.string(), sqliteVersion: z.string() },
});

type SqliteDetails = z.infer<typeof details>;

class SqliteSource implements Source {
  readonly type = 'sqlite';
  readonly name: string;
  readonly #options: SqliteSourceOptions;

  constructor(options: SqliteSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async examine({ signal }: ExamineContext): Promise<Finding[]> {
    signal.throwIfAborted();
    const { path } = this.#options;
    try {
      const pageBytes = canOpen(path);
      return [{ level: 'ok', about: path, message: `can be read, in pages of ${pageBytes} bytes` }];
    } catch (error) {
      if (isHoldfastError(error)) return [findingOfError(path, error)];
      return [{ level: 'missing', about: path, message: `cannot be read: ${messageOf(error)}` }];
    }
  }

  capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const { path, version } = this.#options;
    return captureSqlite({ source: this.name, path, version }, writer, context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    const directory = directoryOf(target);
    if (context.selection !== undefined || context.as !== undefined || context.replace === true) throw wholeOnly();
    const { file } = await detailsOf(reader);
    return restoreSqlite(reader, { node: await nodeOf(reader, file), directory, file }, context);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    const expected = await detailsOf(reader);
    const path = join(directoryOf(target), expected.file);
    const checks = [await fileCheck(path, expected)];
    const database = openDatabase(path, 'target');
    try {
      const problems = await integrityProblems(database, context.signal);
      const whole = problems.length === 0;
      checks.push({
        name: 'integrity',
        result: whole ? 'passed' : 'failed',
        detail: problems[0] ?? 'SQLite finds nothing wrong',
      });
      const differences = differencesOf(expected, await inspectDatabase(database, context.signal));
      checks.push(...contentChecks(expected, differences));
      checks.push(...(await runPlanned(database, path, this.#options.validate, context)));
      return { checks, notes: [] };
    } catch (error) {
      context.signal.throwIfAborted();
      return {
        checks: [...checks, { name: 'contents', result: 'failed', detail: failure(error, path, 'target').message }],
        notes: [],
      };
    } finally {
      database.close();
    }
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    const expected = await detailsOf(reader);
    const path = other === undefined ? this.#options.path : join(directoryOf(other), expected.file);
    const found = await contentsAt(path, other === undefined ? 'source' : 'target', context);
    return { compared: expected.tables.length, differences: differencesOf(expected, found), notes: [] };
  }

  async *query(target: Target, sql: string, signal: AbortSignal): AsyncGenerator<string | null> {
    const path = join(directoryOf(target), basename(this.#options.path));
    const database = openDatabase(path, 'target');
    try {
      for (const row of database.prepare(sql).iterate()) {
        signal.throwIfAborted();
        const [first = null] = Object.values(row as object);
        yield first === null ? null : String(first);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw failure(error, path, 'target');
    } finally {
      database.close();
    }
  }

  async contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    const counts = (await detailsOf(reader)).tables.map(({ name, rows }) => ({
      item: name,
      count: rows,
      unit: 'rows',
    }));
    return item === undefined ? counts : counts.filter((each) => each.item === item);
  }
}

async function contentsAt(path: string, side: Side, { signal }: RestoreContext): Promise<DatabaseContents> {
  const database = openDatabase(path, side);
  try {
    await beginReading(database, path, signal);
    return await inspectDatabase(database, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failure(error, path, side);
  } finally {
    database.close();
  }
}

async function fileCheck(path: string, { sha256 }: SqliteDetails): Promise<Check> {
  const digest = createHash('sha256');
  try {
    for await (const bytes of createReadStream(path)) digest.update(bytes as Buffer);
  } catch (error) {
    return { name: 'file', result: 'failed', detail: messageOf(error) };
  }
  const isSame = digest.digest('hex') === sha256;
  return {
    name: 'file',
    result: isSame ? 'passed' : 'failed',
    detail: isSame ? 'every byte is equal' : 'has other bytes',
  };
}

/** One for each table, and one for everything else. */
function contentChecks({ tables }: SqliteDetails, differences: Comparison['differences']): Check[] {
  const rest = differences.filter(({ item }) => !tables.some(({ name }) => item === `table ${name}`));
  const ofTables = tables.map(({ name, rows }): Check => {
    const wrong = differences.find(({ item }) => item === `table ${name}`);
    const detail = wrong?.detail ?? `${rows} rows, digest equal`;
    return { name: `rows ${name}`, result: wrong === undefined ? 'passed' : 'failed', detail };
  });
  const [first] = rest;
  const detail = first === undefined ? 'every definition is equal' : `${first.item} ${first.detail}`;
  return [...ofTables, { name: 'schema', result: first === undefined ? 'passed' : 'failed', detail }];
}

async function detailsOf(reader: SnapshotReader): Promise<SqliteDetails> {
  const parsed = details.safeParse((await readManifest(reader)).details);
  if (parsed.success) return parsed.data;
  throw new HoldfastError('repository-damaged', 'the snapshot has no manifest of a SQLite database', {
    hint: 'Choose a snapshot of this source, or take the file under /data with `holdfast restore --snapshot`.',
    context: { snapshot: reader.id.slice(0, 8), reason: z.prettifyError(parsed.error) },
  });
}

async function nodeOf(reader: SnapshotReader, file: string): Promise<TreeNode> {
  const node = await reader.find(`/data/${byteStringOfText(file)}`);
  if (node?.type === 'file') return node;
  throw new HoldfastError('repository-damaged', `the snapshot has no file ${file}, which its manifest names`, {
    context: { snapshot: reader.id.slice(0, 8) },
  });
}

function directoryOf(target: Target): string {
  if (target.kind === 'directory') return target.path;
  throw noDirectory();
}

function wholeOnly(): HoldfastError {
  return new HoldfastError('bad-usage', 'a SQLite database is restored as a whole, to a place without one', {
    hint: 'Leave `--only`, `--as` and `--replace` out.',
  });
}
