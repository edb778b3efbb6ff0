import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, systemCode } from '../../../foundation/errors.ts';
import { isProcessThere } from '../../../foundation/process-alive.ts';

/** A data directory whose server does not run. */
export interface StoppedCluster {
  directory: string;
  majorVersion: number;
  /** Whose it is, where that is not this process's user: PostgreSQL's programs run as him. */
  owner: { uid: number; gid: number } | undefined;
  control: ControlFile;
  /** It followed another server. */
  isStandby: boolean;
}

interface ControlFile {
  system: string;
  /** The server ended in order: nothing is left to be replayed. */
  isShutDown: boolean;
  /** The last checkpoint, which is the end of the log where the server ended in order. */
  checkpointLsn: bigint;
  timeline: number;
}

/** @throws target-unsuitable where it is none, where its server runs, or where it is somebody's whom this process cannot be */
export async function openStopped(directory: string): Promise<StoppedCluster> {
  const version = await readIfThere(join(directory, 'PG_VERSION'));
  if (version === undefined)
    throw unsuitable(directory, 'is no data directory', 'Name the data directory of the old primary.');
  await refuseRunning(directory);
  return {
    directory,
    majorVersion: Number.parseInt(version.toString('latin1'), 10),
    owner: await ownerOf(directory),
    control: await readControl(directory),
    isStandby: (await readIfThere(join(directory, 'standby.signal'))) !== undefined,
  };
}

/**
 * Source: PostgreSQL's src/include/catalog/pg_control.h, ControlFileData; these fields have been at these places since 9.3.
 * They are in the machine's byte order, which is little-endian wherever Node runs.
 */
export async function readControl(directory: string): Promise<ControlFile> {
  const bytes = await readFile(join(directory, 'global', 'pg_control'));
  const state = bytes.readUInt32LE(16);
  return {
    system: bytes.readBigUInt64LE(0).toString(),
    isShutDown: state === SHUT_DOWN || state === SHUT_DOWN_IN_RECOVERY,
    checkpointLsn: bytes.readBigUInt64LE(32),
    timeline: bytes.readUInt32LE(48),
  };
}

const [SHUT_DOWN, SHUT_DOWN_IN_RECOVERY] = [1, 2];

async function refuseRunning(directory: string): Promise<void> {
  const file = await readIfThere(join(directory, 'postmaster.pid'));
  const pid = Number.parseInt(file?.toString('latin1') ?? '', 10);
  if (!(pid > 0) || !isProcessThere(pid)) return;
  throw unsuitable(
    directory,
    `has a server that runs, with the process id ${pid}`,
    'Stop it, and run the step again. If that process is another one, remove postmaster.pid from the directory.',
  );
}

async function ownerOf(directory: string): Promise<StoppedCluster['owner']> {
  const { uid, gid } = await stat(directory);
  const own = process.getuid?.();
  if (own === undefined || (uid === own && uid !== 0)) return undefined;
  if (own === 0 && uid !== 0) return { uid, gid };
  throw unsuitable(directory, `belongs to the user ${uid}`, 'Run holdfast as the user whose server it is, or as root.');
}

/** What is in a file; undefined where there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

export function unsuitable(directory: string, what: string, hint: string): HoldfastError {
  return new HoldfastError('target-unsuitable', `${directory} ${what}`, { hint, context: { directory } });
}
