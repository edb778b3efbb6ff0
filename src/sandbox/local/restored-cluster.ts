import { chown, lchown, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { LogRecovery, RecoveryEnd, SandboxNeed } from '../sandbox.ts';
import { explainFullDisk, readLogEnd } from './cluster-errors.ts';
import type { PostgresClusterOptions } from './cluster-options.ts';
import type { ClusterPlace } from './cluster-place.ts';
import type { ServerSettings } from './cluster-settings.ts';
import { LogFeed } from './log-feed.ts';
import { openPlace, type PostgresCluster, startedCluster } from './postgres-cluster.ts';
import type { SystemUser } from './unprivileged-user.ts';

export type DataNeed = Extract<SandboxNeed, { kind: 'postgres-data' }>;

/** A place for a data directory that somebody else fills, and the server on it. */
export interface RestoredCluster {
  /** Does not exist yet, where it is one of the sandbox's own. */
  dataDirectory: string;
  /**
   * May be called again where it failed.
   * @param recoverySettings instead of those of the need
   */
  start(recoverySettings?: LogRecovery['settings']): Promise<{ cluster: PostgresCluster; recovery: RecoveryEnd }>;
  /** See `GuardedDirectory`. Only of a data directory that is the sandbox's own. */
  keepAs?(path: string): void;
  /** Stops the server, if it was started, and removes everything that is the sandbox's own. May be called again. */
  close(): Promise<void>;
}

/** The log of a large backup takes its time; a server that fails ends by itself before. */
const RECOVERY_TIMEOUT_MS = 60 * 60_000;
/** A log may be that of weeks. */
const LONGEST_RECOVERY_MS = 7 * 24 * RECOVERY_TIMEOUT_MS;
/** What a configuration may hold that leads out of the sandbox, or a signal to follow somebody. */
const LEFT_BEHIND = ['postgresql.auto.conf', 'standby.signal', 'recovery.signal', 'postmaster.pid', 'postmaster.opts'];

/** Makes the place of a cluster that is going to be restored. */
export async function openRestoredCluster(
  options: Omit<PostgresClusterOptions, 'server'> & { server: PostgresPrograms },
  need: DataNeed,
): Promise<RestoredCluster> {
  const longestMs = need.recovery === undefined ? RECOVERY_TIMEOUT_MS : LONGEST_RECOVERY_MS;
  const open = (): Promise<ClusterPlace> =>
    openPlace(
      {
        ...options,
        startTimeoutMs: options.startTimeoutMs ?? longestMs,
        superuser: need.superuser,
        throwaway: need.dataDirectory === undefined,
      },
      { database: need.database, dataDirectory: need.dataDirectory },
    );
  // A directory that is not the sandbox's own need not be there yet, and its owner is not known before.
  let place = need.dataDirectory === undefined ? await open() : undefined;
  let cluster: PostgresCluster | undefined;
  return {
    ...(place && { keepAs: place.directory.keepAs }),
    dataDirectory: need.dataDirectory ?? place!.dataDirectory,
    start: async (recoverySettings) => {
      place ??= await open();
      const started = await startRestored(place, withSettings(need, recoverySettings));
      cluster = started.cluster;
      return started;
    },
    close: async () => {
      if (cluster !== undefined) await cluster.stop();
      else await place?.directory.close();
    },
  };
}

function withSettings({ recovery, ...need }: DataNeed, settings: LogRecovery['settings'] | undefined): DataNeed {
  if (recovery === undefined) return need;
  return { ...need, recovery: { ...recovery, settings: settings ?? recovery.settings } };
}

async function startRestored(
  place: ClusterPlace,
  need: DataNeed,
): Promise<{ cluster: PostgresCluster; recovery: RecoveryEnd }> {
  const { directory, dataDirectory, options, startTimeoutMs } = place;
  let feed: LogFeed | undefined;
  const giveUp = new AbortController();
  try {
    if (need.dataDirectory === undefined) {
      for (const name of LEFT_BEHIND) await rm(join(dataDirectory, name), { force: true });
    }
    const settings = await ownConfiguration(directory.path, need);
    if (need.recovery !== undefined) {
      feed = await LogFeed.start(directory.path, need.recovery.files, place.user, (error) => giveUp.abort(error));
      Object.assign(settings, recoverySettings(feed, need.recovery.settings));
      await requestRecovery(dataDirectory, place.user);
    }
    if (place.user !== undefined) await giveAll(directory.path, place.user);
    const deadlineMs = options.clock.monotonicMs() + startTimeoutMs;
    const signal = options.signal === undefined ? giveUp.signal : AbortSignal.any([options.signal, giveUp.signal]);
    const cluster = await startedCluster({ ...place, options: { ...options, signal, settings }, deadlineMs });
    return { cluster, recovery: recoveryEnd(await readLogEnd(place.logPath)) };
  } catch (error) {
    throw unprovable(await explainFullDisk(place, error));
  } finally {
    await feed?.stop();
  }
}

/** The server looks for the log with its `restore_command` only where this file asks for it. */
async function requestRecovery(dataDirectory: string, user: SystemUser | undefined): Promise<void> {
  const path = join(dataDirectory, 'recovery.signal');
  await writeFile(path, '', { mode: 0o600 });
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

/**
 * What the server said of its recovery.
 * Source: PostgreSQL's src/backend/access/transam/xlogrecovery.c, whose messages these are.
 */
function recoveryEnd(log: string): RecoveryEnd {
  const stopped = /recovery (stopping (?:before|after|at) .*)/.exec(log)?.[1];
  const lastTransaction = /last completed transaction was at log time (.*)/.exec(log)?.[1];
  // Of an attempt before this one the log may tell as well.
  const redoneLsn = [...log.matchAll(/redo done at ([0-9A-F]+\/[0-9A-F]+)/g)].at(-1)?.[1];
  return {
    ...(stopped !== undefined && { stopped }),
    ...(redoneLsn !== undefined && { redoneLsn }),
    ...(lastTransaction !== undefined && { lastTransaction }),
  };
}

/** Files and settings that take the place of all that came with the cluster. */
async function ownConfiguration(
  directory: string,
  { settings, majorVersion }: DataNeed,
): Promise<Record<string, string | number>> {
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
    ...OWN,
    ...(majorVersion >= EVENT_TRIGGERS_MAJOR && { event_triggers: 'off' }),
    ...settings,
  };
}

/** What a `postgresql.auto.conf` may hold that leads to somebody else, or needs what is not here: it stays as it is, and has no say. */
export const OWN = {
  archive_mode: 'off',
  archive_command: '',
  archive_library: '',
  restore_command: '',
  primary_conninfo: '',
  primary_slot_name: '',
  archive_cleanup_command: '',
  recovery_end_command: '',
  shared_preload_libraries: '',
  session_preload_libraries: '',
  local_preload_libraries: '',
  // Of a living server beside this one.
  external_pid_file: '',
  // Nobody is there who could acknowledge a commit.
  synchronous_standby_names: '',
  ssl: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
} satisfies ServerSettings;

/** From this version on code of the cluster's own may run whenever somebody logs in, and a setting keeps it from it. */
const EVENT_TRIGGERS_MAJOR = 17;

/** What may say where a recovery ends. */
const TARGETS = [
  'recovery_target',
  'recovery_target_time',
  'recovery_target_xid',
  'recovery_target_lsn',
  'recovery_target_name',
];

/** The server accepts nobody until it is through, and then goes on by itself. */
function recoverySettings({ command }: LogFeed, given: ServerSettings): ServerSettings {
  // None is set twice: to take one back after another one is set counts as a second target.
  const cleared = Object.fromEntries(TARGETS.filter((name) => !(name in given)).map((name) => [name, '']));
  const usual = { hot_standby: 'off', recovery_target_action: 'promote', shared_buffers: '256MB' };
  return { restore_command: command, ...cleared, ...usual, ...given };
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
