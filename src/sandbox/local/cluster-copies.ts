import { chown, lstat, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { HoldfastError } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import type { ServerCopies, ServerCopy } from '../sandbox.ts';
import { clusterFailed, serverFailed } from './cluster-errors.ts';
import { type ClusterPlace, databaseUrl, SOCKET_PORT, superviseHere } from './cluster-place.ts';
import { ALWAYS, quotedListItem, type ServerSettings } from './cluster-settings.ts';
import { endInTime, startServerWith } from './cluster-start.ts';
import { stopCopies } from './stopped-copies.ts';
import { cutOff, goOn } from './stopped-processes.ts';
import type { SupervisedProgram } from './supervised-program.ts';

const POLL_MS = 50;

/** What a server has to have so that another one follows it, takes its place, and is followed by it in turn. */
const REPLICATING = {
  ...{ fsync: 'off', full_page_writes: 'on', synchronous_commit: 'on', autovacuum: 'off' },
  ...{ wal_level: 'replica', hot_standby: 'on', wal_log_hints: 'on', wal_keep_size: '1GB' },
  wal_retrieve_retry_interval: '200ms',
} satisfies ServerSettings;
/** A server with fewer of these than its original had cannot replay what that wrote; these are the least for following. */
const AT_LEAST = { max_wal_senders: 10, max_replication_slots: 10, max_worker_processes: 8 };
const RAISED = [
  ...['max_connections', 'max_worker_processes', 'max_wal_senders'],
  ...['max_prepared_transactions', 'max_locks_per_transaction'],
];

/**
 * What came with a cluster, and leads to somebody else or loads what is not here. A fence and a standby change some of
 * it by ALTER SYSTEM, which nothing on the command line may overrule: all of it lies in the data directory.
 */
const NOBODY_ELSE = {
  ...{ archive_mode: 'off', archive_command: '', archive_library: '', restore_command: '' },
  ...{ archive_cleanup_command: '', recovery_end_command: '', shared_preload_libraries: '', external_pid_file: '' },
  ...{ synchronous_standby_names: '', max_logical_replication_workers: 0, ssl: 'off' },
  ...{ timezone: 'UTC', log_timezone: 'UTC', lc_messages: 'C' },
} satisfies ServerSettings;
const EVENT_TRIGGERS_MAJOR = 17;

/** A server on a data directory of the sandbox. */
class ClusterCopy implements ServerCopy {
  readonly #place: ClusterPlace;
  #server: SupervisedProgram | undefined;
  #isKilled = false;
  #pid = 0;

  constructor(place: ClusterPlace) {
    // Of a restored cluster: its sessions load nothing.
    this.#place = { ...place, isRestored: true };
  }

  get url(): string {
    // What every session is to load by the server's own setting is what a fence is made of.
    return databaseUrl(this.#place, this.#place.database, ['local_preload_libraries']);
  }

  get directory(): string {
    return this.#place.dataDirectory;
  }

  async start(): Promise<void> {
    if (this.#server !== undefined && !this.#isKilled) {
      goOn(this.#pid);
      return;
    }
    const { options, startTimeoutMs, dataDirectory } = this.#place;
    const deadlineMs = options.clock.monotonicMs() + startTimeoutMs;
    this.#server = await startServerWith({ ...this.#place, deadlineMs }, []);
    this.#isKilled = false;
    this.#pid = Number.parseInt(await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8'), 10);
  }

  async kill(): Promise<void> {
    if (this.#server === undefined || this.#isKilled) return;
    this.#isKilled = true;
    // Its supervisor ends the children as soon as their postmaster is gone.
    process.kill(this.#pid, 'SIGKILL');
    await this.#server.ended;
  }

  async cutOff(): Promise<void> {
    // Its number may be another process's by now.
    if (!this.#isKilled) await cutOff(this.#pid);
  }

  /** @returns what had ended it, where that was nobody's doing */
  async stop(): Promise<HoldfastError | undefined> {
    if (this.#server === undefined || this.#isKilled) return undefined;
    goOn(this.#pid);
    let isOver = false;
    void this.#server.ended.then(() => {
      isOver = true;
    });
    await delay(0);
    const end = await (isOver ? this.#server.ended : this.#server.stop());
    return isOver && end.status !== 0
      ? serverFailed(this.#place, `died with exit status ${end.status}`, end)
      : undefined;
  }
}

/** Copies of one cluster. `close` stops them, and removes the directories of those that follow. */
export class ClusterCopies implements ServerCopies {
  readonly primary: ServerCopy;
  readonly followers = new Map<string, ServerCopy>();
  readonly #all: ClusterCopy[] = [];
  readonly #own: ClusterPlace[] = [];

  private constructor(primary: ClusterCopy) {
    this.primary = primary;
    this.#all.push(primary);
  }

  /**
   * @param place of a server that was stopped, whose data directory becomes the primary's
   * @param open makes the place of one that follows
   * @throws sandbox-failed, not-provable
   */
  static async start(
    place: ClusterPlace,
    names: readonly string[],
    open: () => Promise<ClusterPlace>,
  ): Promise<ClusterCopies> {
    const settings = settingsOf(place);
    await configure(place, settings);
    const primary = new ClusterCopy(place);
    const copies = new ClusterCopies(primary);
    try {
      await primary.start();
      for (const name of names) copies.followers.set(name, await copies.#follow(place, await open(), settings));
      return copies;
    } catch (error) {
      await settled(copies.close());
      throw error;
    }
  }

  async #follow(of: ClusterPlace, place: ClusterPlace, settings: ServerSettings): Promise<ClusterCopy> {
    this.#own.push(place);
    await copyData(of, place);
    const from = `host='${of.directory.path}' port=${SOCKET_PORT} user='${escaped(of.superuser)}' sslmode=disable`;
    await configure(place, settings, { primary_conninfo: from });
    const follower = new ClusterCopy(place);
    this.#all.push(follower);
    await follower.start();
    await untilStreaming(of, this.followers.size + 1);
    return follower;
  }

  /** @throws sandbox-failed where one had died by itself. All of it is gone by then. */
  async close(): Promise<void> {
    const died = (await stopCopies(this.#all, this.#own)).find((each) => each !== undefined);
    if (died !== undefined) throw died;
  }
}

function settingsOf({ options: { settings = {} }, programs }: ClusterPlace): ServerSettings {
  const raised = Object.fromEntries(RAISED.flatMap((name) => (name in settings ? [[name, settings[name]!]] : [])));
  const atLeast = Object.entries(AT_LEAST).map(([name, value]) => [name, Math.max(value, Number(raised[name] ?? 0))]);
  return {
    ...{ ...ALWAYS, ...NOBODY_ELSE, ...REPLICATING, ...raised, ...Object.fromEntries(atLeast) },
    ...(programs.majorVersion >= EVENT_TRIGGERS_MAJOR && { event_triggers: 'off' }),
  };
}

/** Files that take the place of all that came with the cluster. */
async function configure(
  { directory, dataDirectory, user }: ClusterPlace,
  settings: ServerSettings,
  follows?: { primary_conninfo: string },
): Promise<void> {
  const all = { ...settings, unix_socket_directories: quotedListItem(directory.path) };
  const lines = (of: ServerSettings): string =>
    Object.entries(of)
      .map(([name, value]) => `${name} = '${escaped(String(value))}'\n`)
      .join('');
  const files = {
    'postgresql.conf': lines(all),
    'postgresql.auto.conf': lines(follows ?? {}),
    // Who can reach the socket has passed the directory's mode.
    'pg_hba.conf': 'local all all trust\nlocal replication all trust\n',
    'pg_ident.conf': '',
    ...(follows && { 'standby.signal': '' }),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(dataDirectory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (user !== undefined) await chown(path, user.uid, user.gid);
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "''");
}

/** Source: PostgreSQL's documentation, "pg_basebackup". @throws sandbox-failed with what it said */
async function copyData(of: ClusterPlace, place: ClusterPlace): Promise<void> {
  const connection = `host='${of.directory.path}' port=${SOCKET_PORT} user='${escaped(of.superuser)}' sslmode=disable`;
  const program = await superviseHere(place, { stopSignal: 'TERM', graceSeconds: 2 }, [
    place.programs.path('pg_basebackup'),
    ...[
      '--pgdata',
      place.dataDirectory,
      '--wal-method',
      'stream',
      '--checkpoint',
      'fast',
      '--no-sync',
      '--no-password',
    ],
    ...(await mappings(of, place)),
    ...['--dbname', connection],
  ]);
  const end = await endInTime(place, program);
  if (end?.status === 0) return;
  throw clusterFailed(place, 'a sandbox server could not be copied', end?.said ?? 'it took too long');
}

/** Tablespaces of the copy lie beside its data: two servers that share one would destroy it. */
async function mappings({ dataDirectory }: ClusterPlace, { directory }: ClusterPlace): Promise<string[]> {
  const links = join(dataDirectory, 'pg_tblspc');
  const words: string[] = [];
  for (const name of await readdir(links)) {
    if (!(await lstat(join(links, name))).isSymbolicLink()) continue;
    const to = join(directory.path, `tablespace-${name}`);
    words.push('--tablespace-mapping', `${mapped(await readlink(join(links, name)))}=${mapped(to)}`);
  }
  return words;
}

function mapped(path: string): string {
  return path.replaceAll('=', '\\=');
}

/** @throws sandbox-failed where they do not follow in time */
async function untilStreaming(place: ClusterPlace, count: number): Promise<void> {
  const { clock, signal } = place.options;
  const deadlineMs = clock.monotonicMs() + place.startTimeoutMs;
  const client = new pg.Client({ connectionString: databaseUrl({ ...place, isRestored: true }, place.database) });
  client.on('error', () => {});
  await client.connect();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { rows } = await client.query(
        `SELECT pg_catalog.count(*)::int AS there FROM pg_catalog.pg_stat_replication
          WHERE state = 'streaming' AND replay_lsn >= pg_catalog.pg_current_wal_flush_lsn()`,
      );
      if (Number(rows[0]?.there) >= count) return;
      if (clock.monotonicMs() > deadlineMs) {
        throw new HoldfastError('sandbox-failed', 'a copy of a sandbox server does not follow it', {
          hint: 'What the server said last tells why.',
          context: { directory: place.directory.path },
        });
      }
      await delay(POLL_MS);
    }
  } finally {
    await settled(client.end());
  }
}
