import { constants, existsSync } from 'node:fs';
import { chmod, chown, type FileHandle, link, open, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseTimeMs, type TreeNode } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { lockFile } from '../../foundation/file-lock.ts';
import { readAt } from '../../foundation/read-at.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { RestoreContext, Restored } from '../index.ts';

/** What SQLite takes for a part of a database that lies beside it, and plays back when it is opened. */
const BESIDE = ['-wal', '-shm', '-journal'];

/**
 * Writes the file of a database into a directory, with its owner and mode, under its own name only once it is whole. The
 * directory may hold anything else, but neither that file nor a log of an earlier one, which would be played back onto it. A run
 * that goes on after it was killed takes the very same file for its own.
 * @throws target-not-empty, target-failed
 */
export async function restoreSqlite(
  reader: SnapshotReader,
  { node, directory, file }: { node: TreeNode; directory: string; file: string },
  { progress, signal, begunBy }: RestoreContext,
): Promise<Restored> {
  const path = join(directory, file);
  const unfinished = join(directory, `.holdfast-${file}`);
  // Killed behind the link: what is there is whole, or somebody has changed it since.
  if (begunBy !== undefined && !isAnyBeside(path) && (await isContent(reader, node, path))) {
    await removeLeft(unfinished, path);
    const notes = [`${path} was there already, as it was in the backup`];
    return { bytes: Number(node.size), items: 1, notes, problems: await setMetadata(path, node, path) };
  }
  const problems: Restored['problems'] = [];
  progress.phase('writing the database', { bytes: Number(node.size), items: 1 });
  try {
    await makeDirectories(directory, 0o700);
    refuseOccupied(path);
    await removeLeft(unfinished, path);
    const written = await open(unfinished, 'wx', 0o600);
    try {
      if (!lockFile(written.fd)) throw underWay(path);
      await writeContent(reader, node, written, { progress, signal });
      problems.push(...(await setMetadata(unfinished, node, path)));
      refuseOccupied(path);
      // Unlike a rename, a link never takes the place of what came meanwhile.
      await link(unfinished, path);
    } finally {
      await rm(unfinished, { force: true });
      await written.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) throw error;
    if (systemCode(error) === 'EEXIST') throw existsSync(path) ? occupied(path) : underWay(path);
    throw new HoldfastError('target-failed', `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
  await syncDirectory(dirname(path));
  progress.advance({ items: 1 });
  return { bytes: Number(node.size), items: 1, notes: [], problems };
}

/** What a restore that was killed left: who writes one has it locked. It is never opened for writing: it may be anybody's. @throws target-unsuitable */
async function removeLeft(unfinished: string, path: string): Promise<void> {
  let left: FileHandle;
  try {
    left = await open(unfinished, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    if (!lockFile(left.fd)) throw underWay(path);
    await rm(unfinished, { force: true });
  } finally {
    await left.close();
  }
}

function underWay(path: string): HoldfastError {
  return new HoldfastError('target-unsuitable', `another process restores ${path} just now`, {
    hint: 'Wait for its end, or restore to another directory.',
    context: { path },
  });
}

function refuseOccupied(path: string): void {
  const there = [path, ...besideOf(path)].find((each) => existsSync(each));
  if (there !== undefined) throw occupied(there);
}

function besideOf(path: string): string[] {
  return BESIDE.map((suffix) => `${path}${suffix}`);
}

function isAnyBeside(path: string): boolean {
  return besideOf(path).some((each) => existsSync(each));
}

/** Whether a file is there that has the very bytes of one of the snapshot. @throws target-failed */
async function isContent(reader: SnapshotReader, node: TreeNode, path: string): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return false;
    throw new HoldfastError('target-failed', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size !== Number(node.size)) return false;
    let position = 0;
    for await (const bytes of reader.read(node)) {
      const there = readAt(file.fd, Buffer.allocUnsafe(bytes.length), position);
      if (!there.equals(bytes)) return false;
      position += bytes.length;
    }
    return true;
  } finally {
    await file.close();
  }
}

function occupied(path: string): HoldfastError {
  return new HoldfastError('target-not-empty', `${path} is there already`, {
    hint: 'Stop what uses that database and put its file away, with the files beside it that end in -wal, -shm or -journal, or restore to another directory.',
    context: { path },
  });
}

async function writeContent(
  reader: SnapshotReader,
  node: TreeNode,
  file: FileHandle,
  { progress, signal }: Pick<RestoreContext, 'progress' | 'signal'>,
): Promise<void> {
  for await (const bytes of reader.read(node)) {
    signal.throwIfAborted();
    await file.writeFile(bytes);
    progress.advance({ bytes: bytes.length });
  }
  signal.throwIfAborted();
  await file.sync();
}

async function setMetadata(unfinished: string, node: TreeNode, path: string): Promise<Restored['problems']> {
  const modified = new Date(parseTimeMs(node.mtime ?? '') ?? Date.now());
  const { uid, gid, mode = 0o600 } = node;
  const problems: Restored['problems'] = [];
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      problems.push({ path, message: `its ${what} could not be set: ${messageOf(error)}` });
    }
  };
  // The owner first: to give a file away takes bits of its mode. Only root may: to others it belongs, as any file that they restore.
  if (process.getuid?.() === 0 && uid !== undefined && gid !== undefined)
    await attempt('owner', () => chown(unfinished, uid, gid));
  await attempt('mode', () => chmod(unfinished, mode & 0o777));
  await attempt('time', () => utimes(unfinished, modified, modified));
  return problems;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
