import { lchown, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { SandboxNeed } from '../sandbox.ts';
import { explainFullDisk } from './cluster-errors.ts';
import type { PostgresClusterOptions } from './cluster-options.ts';
import type { ClusterPlace } from './cluster-place.ts';
import type { ServerSettings } from './cluster-settings.ts';
import { openPlace, type PostgresCluster, startedCluster } from './postgres-cluster.ts';

export type DataNeed = Extract<SandboxNeed, { kind: 'postgres-data' }>;

/** A place for a data directory that somebody else fills, and the server on it. */
export interface RestoredCluster {
  /** Does not exist yet. */
  dataDirectory: string;
  start(): Promise<PostgresCluster>;
  /** Stops the server, if it was started, and removes everything. May be called again. */
  close(): Promise<void>;
}

/** The log of a large backup takes its time; a server that fails ends by itself before. */
const RECOVERY_TIMEOUT_MS = 60 * 60_000;
/** What a configuration may hold that leads out of the sandbox, or a signal to follow somebody. */
const LEFT_BEHIND = ['postgresql.auto.conf', 'standby.signal', 'recovery.signal', 'postmaster.pid', 'postmaster.opts'];

/** Makes the place of a cluster that is going to be restored. */
export async function openRestoredCluster(
  options: Omit<PostgresClusterOptions, 'server'> & { server: PostgresPrograms },
  need: DataNeed,
): Promise<RestoredCluster> {
  const startTimeoutMs = options.startTimeoutMs ?? RECOVERY_TIMEOUT_MS;
  const place = await openPlace({ ...options, startTimeoutMs, superuser: need.superuser }, need.database);
  let cluster: PostgresCluster | undefined;
  return {
    dataDirectory: place.dataDirectory,
    start: async () => {
      cluster = await startRestored(place, need);
      return cluster;
    },
    close: async () => {
      if (cluster !== undefined) await cluster.stop();
      else await place.directory.close();
    },
  };
}

async function startRestored(place: ClusterPlace, need: DataNeed): Promise<PostgresCluster> {
  const { directory, dataDirectory, options, startTimeoutMs } = place;
  try {
    for (const name of LEFT_BEHIND) await rm(join(dataDirectory, name), { force: true });
    const settings = await ownConfiguration(directory.path, need);
    if (place.user !== undefined) await giveAll(directory.path, place.user);
    const deadlineMs = options.clock.monotonicMs() + startTimeoutMs;
    return await startedCluster({ ...place, options: { ...options, settings }, deadlineMs });
  } catch (error) {
    throw unprovable(await explainFullDisk(directory.path, error));
  }
}

/** Files and settings that take the place of all that came with the cluster. */
async function ownConfiguration(directory: string, { settings }: DataNeed): Promise<ServerSettings> {
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  return {
    config_file: await file('postgresql.conf', ''),
    // Who can reach the socket has passed the directory's mode.
    hba_file: await file('pg_hba.conf', 'local all all trust\n'),
    ident_file: await file('pg_ident.conf', ''),
    // What was taken with this level cannot be recovered with a lower one.
    wal_level: 'replica',
    // No subscription of the copy may take the place of its original's.
    max_logical_replication_workers: 0,
    ...settings,
  };
}

/** Makes the server's user the owner of all that was restored. Links are not followed. */
async function giveAll(path: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) await giveAll(inside, { uid, gid });
    await lchown(inside, uid, gid);
  }
}

/** What the server says where this machine lacks something that the cluster needs. */
const LACKS =
  /locale .*(incompatible|not (recognized|known))|incompatible with operating system|could not access file|could not load library|ICU is not supported|database files are incompatible/i;

/** What a server says that cannot go on. */
const GIVES_UP = /(FATAL|PANIC): |could not find the database system/;

/** A server that gives up tells of what was restored; anything else tells of the sandbox. */
function notStarted(error: HoldfastError): HoldfastError {
  const said = String(error.context['said'] ?? '');
  const reason = said.split('\n').findLast((line) => GIVES_UP.test(line));
  if (reason === undefined) return error;
  return new HoldfastError(
    'target-failed',
    `the restored cluster does not start: ${reason.replace(/^.*?(?=FATAL|PANIC)/, '')}`,
    {
      hint: 'Verify an older snapshot, and take a new backup.',
      context: error.context,
      cause: error,
    },
  );
}

/** That something is not on this machine says nothing about the backup. */
function unprovable(error: unknown): unknown {
  if (!isHoldfastError(error, 'sandbox-failed')) return error;
  const line = String(error.context['said'] ?? '')
    .split('\n')
    .find((each) => LACKS.test(each));
  if (line === undefined) return notStarted(error);
  return new HoldfastError(
    'not-provable',
    `the cluster needs what this machine has not: ${line.replace(/^.*FATAL: */, '')}`,
    {
      hint: "Install what is named, of the server's version, and verify again.",
      context: error.context,
      cause: error,
    },
  );
}
