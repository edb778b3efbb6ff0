import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { Progress } from '../../foundation/progress.ts';
import { findRedisServer } from '../../foundation/redis-programs.ts';
import type { Sandbox, SandboxNeed, SandboxTarget } from '../sandbox.ts';
import { freshDirectoryPath, openGuardedDirectory } from './guarded-directory.ts';
import { keepingIn, removeExpired } from './kept-places.ts';
import { findServer, type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';
import { type RedisNeed, startRedisServer } from './redis-server.ts';
import { type DataNeed, openRestoredCluster } from './restored-cluster.ts';
import { createSandboxDatabase, type DatabaseNeed, SANDBOX_DATABASE } from './sandbox-database.ts';

export interface LocalSandboxOptions {
  clock: Clock;
  /** Gives up what is being opened. What is open is closed by its own `close`. */
  signal?: AbortSignal;
  /** Where sandboxes are made; the system's temporary directory by default. It takes all that is restored into them. */
  parentDirectory?: string;
  /** How long a server may take to start: 30 s by default. */
  startTimeoutMs?: number;
}

/**
 * Sandboxes on this machine: directories that only this user enters, and PostgreSQL servers of their own behind a
 * private Unix socket. Processes beside this one see to it that they are gone when this one is, however it ends.
 *
 * `close` of a database throws sandbox-failed, with the end of the server's log, when the server had died meanwhile: that
 * is then the reason for whatever else failed there. All has been removed by then.
 */
export function createLocalSandbox(options: LocalSandboxOptions): Sandbox {
  return {
    open: (need, progress) => {
      options.signal?.throwIfAborted();
      if (need.kind === 'directory') return openDirectory(options);
      if (need.kind === 'firestore') throw new HoldfastError('internal', 'this machine has no Firestore');
      if (need.kind === 'redis') return openRedis(options, need, progress);
      return need.kind === 'postgres' ? openDatabase(options, need, progress) : openData(options, need, progress);
    },
    assertOpenable: (need, how) => assertOpenable(need, how),
    removeExpired: () => removeExpired(options),
  };
}

async function assertOpenable(need: SandboxNeed, { copies }: { copies: boolean }): Promise<void> {
  if (need.kind === 'redis') {
    refuseModules(need);
    await foundOrNotProvable(() => findRedisServer(need));
  } else if (need.kind === 'postgres' || need.kind === 'postgres-data') {
    const { majorVersion } = await serverOrNotProvable({ newerServes: false, ...need });
    const programs = COPYING;
    if (copies)
      await foundOrNotProvable(() =>
        findPostgresPrograms({ programs, atLeastMajor: majorVersion, atMostMajor: majorVersion }),
      );
  }
}

/** What makes a server that follows another one, also one that has written on its own. */
const COPYING = ['initdb', 'postgres', 'pg_basebackup', 'pg_rewind'] as const;

async function openDirectory(options: LocalSandboxOptions): Promise<SandboxTarget> {
  const directory = await openGuardedDirectory(freshDirectoryPath(options.parentDirectory));
  const { path, close } = directory;
  return { target: { kind: 'directory', path }, notes: [], ...keepingIn(options, directory), close };
}

function refuseModules({ hasModules }: RedisNeed): void {
  if (!hasModules) return;
  throw new HoldfastError('not-provable', 'some values belong to modules, which a sandbox server does not have', {
    hint: 'Restore the backup to a server that has them, and hold it against the backup with `holdfast compare --with URL`.',
  });
}

async function openRedis(options: LocalSandboxOptions, need: RedisNeed, progress: Progress): Promise<SandboxTarget> {
  refuseModules(need);
  progress.phase('starting a sandbox server');
  const program = await foundOrNotProvable(() => findRedisServer(need));
  const server = await startRedisServer({ ...options, program, databases: need.databases });
  const isOther = program.server !== need.server || program.version !== need.version;
  return {
    target: { kind: 'database', url: server.url, label: `sandbox ${program.server} ${program.version}`, sandbox: true },
    notes: isOther
      ? [`${program.server} ${program.version} stood in for ${need.server} ${need.version}, which was captured`]
      : [],
    copies: server.copies,
    close: server.stop,
  };
}

async function openDatabase(
  options: LocalSandboxOptions,
  need: DatabaseNeed,
  progress: Progress,
): Promise<SandboxTarget> {
  progress.phase('starting a sandbox server');
  const server = await serverOrNotProvable(need);
  const cluster = await startPostgresCluster({ ...options, server });
  try {
    const notes = [...(await createSandboxDatabase(cluster, need)), ...newerServerNotes(need, cluster)];
    const label = `sandbox PostgreSQL ${cluster.version} at ${cluster.socketDirectory}`;
    const url = cluster.url(SANDBOX_DATABASE);
    const target = { kind: 'database', url, label, sandbox: true } as const;
    const copies = (followers: readonly string[]) => cluster.copies(SANDBOX_DATABASE, followers);
    return { target, notes, ...keepingIn(options, cluster), copies, close: cluster.stop };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function openData(options: LocalSandboxOptions, need: DataNeed, progress: Progress): Promise<SandboxTarget> {
  const server = await serverOrNotProvable({ ...need, newerServes: false });
  const restored = await openRestoredCluster({ ...options, server }, need);
  let served: PostgresCluster | undefined;
  return {
    target: { kind: 'directory', path: restored.dataDirectory, sandbox: true },
    notes: [],
    ...keepingIn(options, restored),
    serve: async (recoverySettings) => {
      progress.phase('recovering in a sandbox server');
      const { cluster, recovery } = await restored.start(recoverySettings);
      served = cluster;
      const label = `sandbox PostgreSQL ${cluster.version} at ${cluster.socketDirectory}`;
      return { target: { kind: 'database', url: cluster.url(need.database), label, sandbox: true }, recovery };
    },
    copies: async (followers) => {
      if (served === undefined) throw new HoldfastError('internal', 'nothing was served that could be copied');
      return served.copies(need.database, followers);
    },
    close: restored.close,
  };
}

function newerServerNotes(need: DatabaseNeed, cluster: PostgresCluster): string[] {
  if (cluster.majorVersion === need.majorVersion) return [];
  return [`PostgreSQL ${cluster.version} stood in for ${need.majorVersion}, whose server is not on this machine`];
}

async function serverOrNotProvable(
  need: Pick<DatabaseNeed, 'majorVersion' | 'newerServes'>,
): Promise<PostgresPrograms> {
  return foundOrNotProvable(() => findServer(need.majorVersion, need.newerServes));
}

/** A missing server program says nothing about the backup: it is neither proven nor failed. */
async function foundOrNotProvable<T>(find: () => Promise<T>): Promise<T> {
  try {
    return await find();
  } catch (error) {
    if (!isHoldfastError(error, 'program-missing') && !isHoldfastError(error, 'program-too-old')) throw error;
    throw new HoldfastError('not-provable', error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      context: error.context,
      cause: error,
    });
  }
}
