import { chmod, chown, link, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HoldfastError, messageOf, systemCode } from '../../../foundation/errors.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { LogToReplay, RestoreContext, Restored } from '../../index.ts';
import { parseLocation } from '../connection/location.ts';
import { RDB_NAME, readDetails } from '../details.ts';
import { readRdb } from '../rdb-file.ts';
import { readServer } from '../server-rdb.ts';
import { replayedStream } from '../stream/replay.ts';
import { restoreToServer } from './server.ts';

/**
 * What is being written; once it is whole, another name of it, until the restore is released. Where what has the final name is
 * this very file, no end of the restore was recorded, and it is begun anew.
 */
const UNFINISHED_NAME = '.dump.rdb.unfinished';
/** What a server with `appendonly yes` loads instead. */
const APPEND_ONLY_NAME = 'appendonly.aof';
const APPEND_ONLY = ['appendonlydir', APPEND_ONLY_NAME];

/** What is put into a directory: under which name, how much it is, and all of it. */
interface DirectoryContent {
  name: string;
  sizeBytes: number;
  write(each: (bytes: Uint8Array) => Promise<void>): Promise<void>;
}

/**
 * Puts the snapshot's dump.rdb into a data directory, where the server that starts there loads it. It has that name only
 * when it is whole and was verified.
 * @throws target-not-empty, target-unsuitable, target-failed, repository-damaged
 */
export async function restoreToDirectory(
  reader: SnapshotReader,
  directory: string,
  context: RestoreContext,
): Promise<Restored> {
  const { signal } = context;
  const { keys, sizeBytes } = await readDetails(reader);
  const surplus = await refuseDirectory(directory, context.replace === true);
  if (context.dryRun === true) return { bytes: sizeBytes, items: keys, notes: [], problems: [], surplus };
  const write: DirectoryContent['write'] = async (each) => void (await readRdb(reader, { signal }, each));
  const problems = await putContent(directory, { name: RDB_NAME, sizeBytes, write }, context);
  return { bytes: sizeBytes, items: keys, notes: [APPEND_ONLY_NOTE], problems };
}

/**
 * The same, of a moment of the stream: a server of the sandbox replays it, and what it has then is the dump.rdb. Where there
 * is none, backup and stream become one append-only file, which the first server that starts there replays.
 * @throws as `restoreToDirectory`
 */
export async function replayToDirectory(
  reader: SnapshotReader,
  directory: string,
  context: RestoreContext & { log: LogToReplay },
): Promise<Restored> {
  const { log, sandbox, signal } = context;
  await refuseDirectory(directory, context.replace === true);
  const details = await readDetails(reader);
  if (sandbox !== undefined) {
    const { begunBy: _, ...forSandbox } = context;
    const replayed = await restoreToServer(reader, sandbox, forSandbox);
    const server = { location: parseLocation(sandbox.url), method: 'replication', side: 'target' } as const;
    const write: DirectoryContent['write'] = async (each) => void (await readServer(server, context, {}, each));
    const problems = await putContent(directory, { name: RDB_NAME, sizeBytes: replayed.bytes, write }, context);
    return { ...replayed, notes: [...replayed.notes, APPEND_ONLY_NOTE], problems };
  }
  const sizeBytes = details.sizeBytes + log.bytes;
  const write: DirectoryContent['write'] = async (each) => {
    await readRdb(reader, { signal }, each);
    for await (const bytes of replayedStream(log, details, context)) await each(bytes);
  };
  const problems = await putContent(directory, { name: APPEND_ONLY_NAME, sizeBytes, write }, context);
  const path = join(directory, APPEND_ONLY_NAME);
  const next = `start a server there that replays it, ${details.server} ${details.serverVersion} or newer: redis-server --dir ${shellWord(directory)} --appendonly yes; without \`--appendonly yes\` it begins empty`;
  return { bytes: sizeBytes, items: details.keys, notes: [], problems, laid: { log: path, next } };
}

/** A file is there whole, or not at all. @returns what is there and not as it should be */
async function putContent(
  directory: string,
  { name, sizeBytes, write }: DirectoryContent,
  { progress, replace = false, keepsMark = false }: Pick<RestoreContext, 'progress' | 'replace' | 'keepsMark'>,
): Promise<Restored['problems']> {
  progress.phase(`writing ${name}`, { bytes: sizeBytes });
  const path = join(directory, UNFINISHED_NAME);
  try {
    await mkdir(directory, { mode: 0o700 }).catch(unlessThere);
    await removeBegun(directory);
    const file = await open(path, 'wx', 0o600);
    try {
      await write(async (bytes) => {
        await file.writeFile(bytes);
        progress.advance({ bytes: bytes.length });
      });
      await file.sync();
    } finally {
      await file.close();
    }
    const problems = await giveToOwner(directory, path, name);
    // A target that is replaced needs no mark: it is replaced again.
    if (replace) await rename(path, join(directory, name));
    else await link(path, join(directory, name));
    await syncDirectory(directory);
    if (!keepsMark) await releaseDirectory(directory);
    return problems;
  } catch (error) {
    await removeBegun(directory);
    throw targetFailure(error, directory);
  }
}

/** Takes the mark of a restore away that has come to its end. @throws target-failed */
export async function releaseDirectory(directory: string): Promise<void> {
  try {
    await rm(join(directory, UNFINISHED_NAME), { force: true });
  } catch (error) {
    throw targetFailure(error, directory);
  }
}

async function removeBegun(directory: string): Promise<void> {
  for (const name of await begunIn(directory)) await rm(join(directory, name), { force: true });
}

/** The names of what an interrupted restore left: the mark as the last, so that it outlives the others. */
async function begunIn(directory: string): Promise<string[]> {
  const inode = async (name: string): Promise<bigint | undefined> => {
    try {
      return (await lstat(join(directory, name), { bigint: true })).ino;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw targetFailure(error, directory);
    }
  };
  const mark = await inode(UNFINISHED_NAME);
  if (mark === undefined) return [];
  const names = await Promise.all(
    [RDB_NAME, APPEND_ONLY_NAME].map(async (name) => ((await inode(name)) === mark ? [name] : [])),
  );
  return [...names.flat(), UNFINISHED_NAME];
}

const APPEND_ONLY_NOTE =
  'start the server there; where its configuration says `appendonly yes` it would begin empty: start it once with `--appendonly no`, then `CONFIG SET appendonly yes`';

/** @returns what would be replaced @throws target-not-empty, target-unsuitable, target-failed */
async function refuseDirectory(directory: string, replaces: boolean): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw targetFailure(error, directory);
  });
  const begun = await begunIn(directory);
  const standing = names.filter((name) => !begun.includes(name));
  const outvoting = standing.filter((name) => APPEND_ONLY.includes(name));
  if (outvoting.length > 0) {
    throw new HoldfastError(
      'target-unsuitable',
      `the target ${directory} has ${outvoting.join(' and ')}, which a server with \`appendonly yes\` loads instead of ${RDB_NAME}`,
      {
        hint: `Stop the server and move ${outvoting.join(' and ')} away; then restore, start the server once with \`--appendonly no\`, and turn it on again with \`CONFIG SET appendonly yes\`.`,
        context: { directory },
      },
    );
  }
  if (standing.length === 0) return [];
  if (replaces) return standing.filter((name) => name === RDB_NAME).map((name) => join(directory, name));
  throw new HoldfastError('target-not-empty', `the target ${directory} is not empty`, {
    hint: `Name a directory that is empty or does not exist; or add \`--replace --confirm ${basename(directory)}\` to have its ${RDB_NAME} replaced, with its server stopped.`,
    context: { directory },
  });
}

/** The server runs as whom the directory belongs to. */
async function giveToOwner(directory: string, path: string, name: string): Promise<Restored['problems']> {
  const { uid, gid, mode } = await stat(directory);
  // What the group may do with the directory, it may do with what is in it.
  await chmod(path, 0o600 | (mode & 0o060));
  if (uid === process.getuid?.() && gid === process.getgid?.()) return [];
  try {
    await chown(path, uid, gid);
    return [];
  } catch (error) {
    return [{ path: join(directory, name), message: `cannot be given to the user ${uid}: ${messageOf(error)}` }];
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unlessThere(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error;
}

function targetFailure(error: unknown, directory: string): unknown {
  const code = systemCode(error);
  if (error instanceof HoldfastError || code === undefined) return error;
  return new HoldfastError(
    code === 'ENOSPC' ? 'disk-full' : 'target-failed',
    `cannot write to ${directory}: ${messageOf(error)}`,
    { context: { directory }, cause: error },
  );
}
