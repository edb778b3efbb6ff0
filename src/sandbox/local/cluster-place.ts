import { join } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import type { PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { PostgresClusterOptions } from './cluster-options.ts';
import type { GuardedDirectory } from './guarded-directory.ts';
import { type SupervisedProgram, superviseProgram } from './supervised-program.ts';
import type { SystemUser } from './unprivileged-user.ts';

/** A cluster's directory, with the programs and the user that work in it. */
export interface ClusterPlace {
  programs: PostgresPrograms;
  user: SystemUser | undefined;
  directory: GuardedDirectory;
  dataDirectory: string;
  logPath: string;
  superuser: string;
  /** One that is there: whoever can connect to it knows that the server accepts connections. */
  database: string;
  /** Of somebody else's making: a role, database or locale that it lacks will not come by waiting. */
  isRestored: boolean;
  options: PostgresClusterOptions;
  /** When the start is given up, by the clock's monotonic time. */
  deadlineMs: number;
  startTimeoutMs: number;
}

export const SOCKET_PORT = 5432;
/** sockaddr_un's path, without the zero at its end. */
const SOCKET_PATH_LIMIT_BYTES = process.platform === 'linux' ? 107 : 103;

/** @throws sandbox-failed when a socket in this directory would have a path longer than the system takes */
export function refuseLongSocketPath(directory: string): void {
  const sizeBytes = Buffer.byteLength(join(directory, `.s.PGSQL.${SOCKET_PORT}`));
  if (sizeBytes <= SOCKET_PATH_LIMIT_BYTES) return;
  throw new HoldfastError(
    'sandbox-failed',
    `the path of the sandbox server's socket would have ${sizeBytes} bytes, and ${SOCKET_PATH_LIMIT_BYTES} is the limit`,
    { hint: 'Let TMPDIR name a directory with a short path, such as /tmp.', context: { directory } },
  );
}

/** Connection strings for the databases of a server whose socket lies in this directory, for libpq and pg alike. */
export function databaseUrl(
  { directory, superuser, isRestored }: Pick<ClusterPlace, 'directory' | 'superuser' | 'isRestored'>,
  database: string,
  unloaded: readonly string[] = LIBRARIES,
): string {
  const server = `postgresql://${encodeURIComponent(superuser)}@${encodeURIComponent(directory.path)}:${SOCKET_PORT}`;
  // Said outright, so that no PGSSLMODE of the environment asks for what a Unix socket does not have.
  const url = `${server}/${encodeURIComponent(database)}?sslmode=disable`;
  return isRestored ? `${url}&options=${encodeURIComponent(unloaded.map((name) => `-c ${name}=`).join(' '))}` : url;
}

/** A role or a database may have libraries that every session loads, which no setting of the server takes back. */
const LIBRARIES = ['session_preload_libraries', 'local_preload_libraries'];

/** How a program is asked to end, and how long it may take before it is killed. */
export interface StopManner {
  stopSignal: 'TERM' | 'INT' | 'QUIT';
  graceSeconds: number;
}

/** Runs one of the cluster's programs under a supervisor. */
export function superviseHere(
  place: ClusterPlace,
  manner: StopManner,
  command: readonly [string, ...string[]],
  logPath?: string,
): Promise<SupervisedProgram> {
  const { directory, user, programs, dataDirectory } = place;
  return superviseProgram({
    command,
    user,
    directory: directory.path,
    keeper: directory.keeper,
    serverProgram: programs.path('postgres'),
    dataDirectory,
    ...manner,
    ...(logPath === undefined ? {} : { logPath }),
  });
}
