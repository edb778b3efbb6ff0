/** PostgreSQL's own programs on data directories, run as somebody who may be a server: nobody, where the tests are root. */

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { sandboxUser } from '../../src/sandbox/local/unprivileged-user.ts';

/** A directory that the server's user owns, with a path short enough for a socket. */
export async function serverDirectory(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'd-'));
  const user = await sandboxUser();
  if (user !== undefined) chownSync(directory, user.uid, user.gid);
  chmodSync(directory, 0o755);
  return directory;
}

export interface ProgramRun {
  status: number;
  output: string;
}

/** Runs a program as the server's user. */
export async function runAsServer(program: string, programArguments: string[]): Promise<ProgramRun> {
  const user = await sandboxUser();
  const { status, stdout, stderr } = spawnSync(program, programArguments, {
    encoding: 'utf8',
    cwd: '/',
    // A server that pg_ctl leaves behind must not hold a pipe open that this waits for.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  return { status: status ?? -1, output: `${stdout}${stderr}` };
}

export interface StartedDirectory {
  url(database: string, role?: string): string;
  /** Process id of the postmaster. */
  pid: number;
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** Stops the server; its directory stays. */
  stop(): Promise<void>;
}

/** Starts a server on a data directory with stock pg_ctl, behind a socket in a directory of its own, or in that of its settings. */
export async function startDirectory(
  binDirectory: string,
  directory: string,
  { settings = {}, superuser = 'postgres' }: { settings?: Record<string, string>; superuser?: string } = {},
): Promise<StartedDirectory> {
  const { unix_socket_directories: sockets = await serverDirectory() } = settings;
  const all = { listen_addresses: '', fsync: 'off', ...settings, unix_socket_directories: sockets };
  const options = Object.entries(all).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(sockets, 'log');
  const ctl = (words: string[]) => runAsServer(join(binDirectory, 'pg_ctl'), ['-D', directory, '-w', ...words]);
  const { status, output } = await ctl(['-l', log, '-o', options.join(' '), 'start']);
  if (status !== 0) throw new Error(`${output}${spawnSync('tail', ['-20', log], { encoding: 'utf8' }).stdout}`);
  const pid = Number.parseInt(readFileSync(join(directory, 'postmaster.pid'), 'utf8'), 10);
  return {
    pid,
    url: (database, role = superuser) =>
      `postgres://${role}@/${database}?host=${encodeURIComponent(sockets)}&sslmode=disable`,
    query: async (sql, database = 'postgres') => {
      const client = new pg.Client({ host: sockets, user: superuser, database });
      await client.connect();
      try {
        const result = (await client.query(sql)) as unknown as pg.QueryResult | pg.QueryResult[];
        return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
      } finally {
        await client.end();
      }
    },
    stop: async () => {
      const stopped = await ctl(['-m', 'immediate', 'stop']);
      if (stopped.status !== 0) throw new Error(stopped.output);
    },
  };
}

/** Makes a cluster with initdb, with small files of the log, and returns its data directory. */
export async function initialiseDirectory(binDirectory: string, { pageChecksums = true } = {}): Promise<string> {
  const directory = join(await serverDirectory(), 'data');
  const words = [
    '-D',
    directory,
    '-U',
    'postgres',
    '-A',
    'trust',
    ...(pageChecksums ? ['-k'] : []),
    '--wal-segsize=1',
    '--no-sync',
    '--locale=C.UTF-8',
  ];
  const { status, output } = await runAsServer(join(binDirectory, 'initdb'), words);
  if (status !== 0) throw new Error(output);
  return directory;
}
