import { chmod, chown, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HoldfastError, messageOf, systemCode } from '../../../foundation/errors.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { RestoreContext, Restored } from '../../index.ts';
import { RDB_NAME, readDetails } from '../details.ts';
import { readRdb } from '../rdb-file.ts';

const UNFINISHED_NAME = '.dump.rdb.unfinished';
/** What a server with `appendonly yes` loads instead. */
const APPEND_ONLY = ['appendonlydir', 'appendonly.aof'];

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
  const { progress, signal, dryRun = false } = context;
  const { keys, sizeBytes } = await readDetails(reader);
  const surplus = await refuseDirectory(directory, context.replace === true);
  if (dryRun) return { bytes: sizeBytes, items: keys, notes: [], problems: [], surplus };
  progress.phase('writing dump.rdb', { bytes: sizeBytes });
  const path = join(directory, UNFINISHED_NAME);
  try {
    await mkdir(directory, { mode: 0o700 }).catch(unlessThere);
    const file = await open(path, 'w', 0o600);
    try {
      await readRdb(reader, { signal }, async (bytes) => {
        await file.writeFile(bytes);
        progress.advance({ bytes: bytes.length });
      });
      await file.sync();
    } finally {
      await file.close();
    }
    const problems = await giveToOwner(directory, path);
    await rename(path, join(directory, RDB_NAME));
    await syncDirectory(directory);
    return { bytes: sizeBytes, items: keys, notes: [APPEND_ONLY_NOTE], problems };
  } catch (error) {
    await rm(path, { force: true });
    throw targetFailure(error, directory);
  }
}

const APPEND_ONLY_NOTE =
  'start the server there; where its configuration says `appendonly yes` it would begin empty: start it once with `--appendonly no`, then `CONFIG SET appendonly yes`';

/** @returns what would be replaced @throws target-not-empty, target-unsuitable, target-failed */
async function refuseDirectory(directory: string, replaces: boolean): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw targetFailure(error, directory);
  });
  const outvoting = names.filter((name) => APPEND_ONLY.includes(name));
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
  const others = names.filter((name) => name !== UNFINISHED_NAME);
  if (others.length === 0) return [];
  if (replaces) return others.filter((name) => name === RDB_NAME).map((name) => join(directory, name));
  throw new HoldfastError('target-not-empty', `the target ${directory} is not empty`, {
    hint: `Name a directory that is empty or does not exist; or add \`--replace --confirm ${basename(directory)}\` to have its ${RDB_NAME} replaced, with its server stopped.`,
    context: { directory },
  });
}

/** The server runs as whom the directory belongs to. */
async function giveToOwner(directory: string, path: string): Promise<Restored['problems']> {
  const { uid, gid, mode } = await stat(directory);
  // What the group may do with the directory, it may do with what is in it.
  await chmod(path, 0o600 | (mode & 0o060));
  if (uid === process.getuid?.() && gid === process.getgid?.()) return [];
  try {
    await chown(path, uid, gid);
    return [];
  } catch (error) {
    return [{ path: join(directory, RDB_NAME), message: `cannot be given to the user ${uid}: ${messageOf(error)}` }];
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
