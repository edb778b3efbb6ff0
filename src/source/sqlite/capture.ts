import { createHash } from 'node:crypto';
import { createReadStream, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { byteStringOfText, formatTimeMs, type TreeNode } from '../../format/index.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import type { SnapshotWriter } from '../../repository/index.ts';
import type { Capture, CaptureContext, Manifest } from '../index.ts';
import { beginReading, failure, openDatabase } from './database.ts';
import { type DatabaseContents, inspectDatabase, integrityProblems } from './inspect.ts';

/** What the snapshot's data is: the file itself, as SQLite opens it. */
export const SQLITE_FORMAT = 'sqlite-database';

/** Go's FileMode of a directory that only its owner may read. */
const DIRECTORY_MODE = 2 ** 31 + 0o700;
/** Pages are a multiple of this, and a change of one leaves the others where they are. */
const CUT_BYTES = 64 * 1024;
/** So many pages are copied at a time. */
const PAGES_AT_A_TIME = 4096;

export interface CaptureOptions {
  source: string;
  /** Absolute. */
  path: string;
  version: string;
}

/** Captures one moment of a database: a copy of its pages, made within one transaction, looked through before it is kept. */
export async function captureSqlite(
  options: CaptureOptions,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Capture> {
  const startedMs = context.clock.nowMs();
  const stats = statsOf(options.path);
  const copy = join(context.scratchDirectory, basename(options.path));
  context.progress.phase('copying pages', { bytes: Number(stats.size) });
  const timeMs = await copyMoment(options.path, copy, context);
  const contents = await lookThrough(options.path, copy, context);
  context.signal.throwIfAborted();
  const { node, digest } = await store(copy, writer);
  const times = { mtime: formatTimeMs(timeMs), atime: formatTimeMs(timeMs), ctime: formatTimeMs(timeMs) };
  const file = { ...node, ...times, mode: stats.mode & 0o777, uid: stats.uid, gid: stats.gid };
  const subtree = await writer.saveTree([file]);
  const data: TreeNode = { name: 'data', type: 'dir', mode: DIRECTORY_MODE, ...times, content: null, subtree };
  const bytes = Number(node.size);
  const manifest: Manifest = {
    ...{ version: 1, source: options.source, type: 'sqlite', problems: [] },
    ...{ startedAt: formatTimeMs(startedMs), finishedAt: formatTimeMs(context.clock.nowMs()) },
    time: formatTimeMs(timeMs),
    tool: { name: 'holdfast', version: options.version },
    details: {
      format: SQLITE_FORMAT,
      path: options.path,
      file: basename(options.path),
      bytes,
      sha256: digest,
      ...contents,
    },
  };
  const counts = { filesNew: 1, filesChanged: 0, filesUnmodified: 0, dirs: 1, bytesProcessed: bytes };
  return { roots: [data], paths: [`/${options.source}`], timeMs, manifest, problems: [], counts };
}

function statsOf(path: string) {
  try {
    const stats = lstatSync(path);
    if (stats.isFile()) return stats;
  } catch (error) {
    const code = systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR' ? 'path-missing' : 'source-refused';
    throw new HoldfastError(code, `${path} cannot be read: ${messageOf(error)}`, {
      hint: 'Correct the path in the plan, or mount what should be there.',
      context: { path },
      cause: error,
    });
  }
  throw new HoldfastError('source-unsupported', `${path} is no regular file`, {
    hint: 'Name the file of the database itself, not a link to it.',
    context: { path },
  });
}

/** @returns the moment that the copy is of: everything in it was committed by then */
async function copyMoment(path: string, copy: string, { clock, progress, signal }: CaptureContext): Promise<number> {
  const living = openDatabase(path, 'source');
  try {
    await beginReading(living, path, signal);
    const timeMs = clock.nowMs();
    let leftPages: number | undefined;
    const pageBytes = pageBytesOf(living);
    await backup(living, copy, {
      rate: PAGES_AT_A_TIME,
      progress: ({ totalPages, remainingPages }) => {
        progress.advance({ bytes: ((leftPages ?? totalPages) - remainingPages) * pageBytes });
        leftPages = remainingPages;
        signal.throwIfAborted();
      },
    });
    signal.throwIfAborted();
    return timeMs;
  } catch (error) {
    signal.throwIfAborted();
    throw failure(error, path, 'source');
  } finally {
    living.close();
  }
}

function pageBytesOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA page_size').get()?.['page_size']);
}

/** @throws source-damaged where SQLite finds something wrong: that is no backup to rest on */
async function lookThrough(
  path: string,
  copy: string,
  { progress, signal }: CaptureContext,
): Promise<DatabaseContents> {
  const database = openDatabase(copy, 'source');
  try {
    progress.phase('looking through what was copied');
    const problems = await integrityProblems(database, signal);
    if (problems.length > 0) throw damaged(path, problems);
    return await inspectDatabase(database, signal, () => progress.advance({ items: 1 }));
  } catch (error) {
    signal.throwIfAborted();
    throw failure(error, path, 'source');
  } finally {
    database.close();
  }
}

function damaged(path: string, problems: readonly string[]): HoldfastError {
  const more = problems.length > 1 ? ` and ${problems.length - 1} more` : '';
  return new HoldfastError('source-damaged', `${path} is damaged: ${problems[0]}${more}`, {
    hint: 'Restore it from its last recovery point, or save what can be read with `sqlite3 FILE .recover`.',
    context: { path, problems: problems.length },
  });
}

async function store(copy: string, writer: SnapshotWriter): Promise<{ node: TreeNode; digest: string }> {
  const stream = await writer.openFile(CUT_BYTES);
  const digest = createHash('sha256');
  try {
    for await (const bytes of createReadStream(copy, { highWaterMark: 1 << 20 })) {
      digest.update(bytes as Buffer);
      await stream.write(bytes as Buffer);
    }
    const { content, sizeBytes } = await stream.end();
    const name = byteStringOfText(basename(copy));
    return { node: { name, type: 'file', size: sizeBytes, content }, digest: digest.digest('hex') };
  } finally {
    stream.abort();
  }
}

/** Whether a database can be opened, for who looks before the first backup. @throws as `openDatabase` */
export function canOpen(path: string): number {
  statsOf(path);
  const database = openDatabase(path, 'source');
  try {
    return pageBytesOf(database);
  } catch (error) {
    throw failure(error, path, 'source');
  } finally {
    database.close();
  }
}
