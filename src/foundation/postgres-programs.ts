import { constants } from 'node:fs';
import { access, readdir, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { HoldfastError } from './errors.ts';
import { runProgram } from './process.ts';

/** PostgreSQL's programs of one version, all in one directory. */
export interface PostgresPrograms {
  majorVersion: number;
  /** As the program prints it: `15.14`, `18.0`, `19beta1`. */
  version: string;
  binDirectory: string;
  /** The path of one of the programs that were asked for. */
  path(program: PostgresProgram): string;
}

export type PostgresProgram =
  | 'pg_dump'
  | 'pg_restore'
  | 'psql'
  | 'initdb'
  | 'postgres'
  | 'pg_ctl'
  | 'pg_amcheck'
  | 'pg_rewind'
  | 'pg_basebackup';

export interface PostgresProgramsNeed {
  /** All of these must be there, and of one version. */
  programs: readonly PostgresProgram[];
  /** The lowest major version that serves. The lowest installed one from there on is chosen. */
  atLeastMajor: number;
  /** The highest that serves; any by default. */
  atMostMajor?: number;
}

const VERSION_TIMEOUT_MS = 10_000;

/**
 * Finds PostgreSQL's programs of the lowest major version that serves.
 *
 * Looks in `HOLDFAST_POSTGRES_BIN` (directories, separated as in PATH) and nowhere else when it is set; without it in
 * the places where packages put them, and in PATH. The version is the one that each program itself reports: the wrapper
 * that a distribution puts into PATH may stand for any.
 * @throws program-missing when there is none at all; program-too-old when there are only older ones, or only newer ones
 *   where `atMostMajor` is given
 */
export async function findPostgresPrograms(
  need: PostgresProgramsNeed,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<PostgresPrograms> {
  const found = await listPostgresPrograms(need.programs, environment);
  const suitable = found.filter(
    ({ majorVersion }) => majorVersion >= need.atLeastMajor && majorVersion <= (need.atMostMajor ?? Infinity),
  );
  const lowest = suitable.reduce<PostgresPrograms | undefined>(
    (best, next) => (best === undefined || next.majorVersion < best.majorVersion ? next : best),
    undefined,
  );
  if (lowest !== undefined) return lowest;
  throw notFound(need, found, environment);
}

/** Every version that has all of these programs here, in the order of the places searched. */
export async function listPostgresPrograms(
  programs: readonly PostgresProgram[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<PostgresPrograms[]> {
  const directories = await differentDirectories(await candidateDirectories(environment));
  const found = await Promise.all(
    directories.map(async (binDirectory): Promise<PostgresPrograms[]> => {
      const version = await commonVersion(binDirectory, programs, environment);
      if (version === undefined) return [];
      const majorVersion = Number.parseInt(version, 10);
      return [{ majorVersion, version, binDirectory, path: (program) => join(binDirectory, program) }];
    }),
  );
  return found.flat();
}

/** Each once: `/bin` is `/usr/bin` on most systems, and a wrapper there takes its time to answer. */
async function differentDirectories(directories: readonly string[]): Promise<string[]> {
  const real = await Promise.all(directories.map(realDirectory));
  return directories.filter((_, at) => real.indexOf(real[at]!) === at);
}

/** One that is not there is itself: nothing will be found in it. */
async function realDirectory(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch {
    return directory;
  }
}

async function candidateDirectories(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const given = splitPath(environment['HOLDFAST_POSTGRES_BIN']);
  if (given.length > 0) return given;
  const [debian, redHat, homebrew, homebrewIntel] = await Promise.all([
    childrenOf('/usr/lib/postgresql', /^\d+$/, 'bin'),
    childrenOf('/usr', /^pgsql-\d+$/, 'bin'),
    childrenOf('/opt/homebrew/opt', /^(postgresql|libpq)(@\d+)?$/, 'bin'),
    childrenOf('/usr/local/opt', /^(postgresql|libpq)(@\d+)?$/, 'bin'),
  ]);
  return [...debian, ...redHat, ...homebrew, ...homebrewIntel, ...splitPath(environment['PATH'])];
}

function splitPath(list: string | undefined): string[] {
  return (list ?? '').split(delimiter).filter((directory) => directory !== '');
}

async function childrenOf(directory: string, name: RegExp, subdirectory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((each) => name.test(each)).map((each) => join(directory, each, subdirectory));
}

/** The version of the programs in a directory, if all are there and agree on it. */
async function commonVersion(
  binDirectory: string,
  programs: readonly PostgresProgram[],
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const versions = await Promise.all(programs.map((each) => versionOf(join(binDirectory, each), environment)));
  const [first] = versions;
  return first !== undefined && versions.every((each) => each === first) ? first : undefined;
}

async function versionOf(path: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    const { output } = await runProgram(path, ['--version'], {
      environment: { PATH: environment['PATH'] ?? '', LC_ALL: 'C' },
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    return /\(PostgreSQL\) (\d+\S*)/.exec(output)?.[1];
  } catch {
    // What is not there, or cannot even say its version, is no candidate; when none is left, that is the error.
    return undefined;
  }
}

function notFound(
  need: PostgresProgramsNeed,
  found: readonly PostgresPrograms[],
  environment: NodeJS.ProcessEnv,
): HoldfastError {
  const names = need.programs.join(', ');
  const only = environment['HOLDFAST_POSTGRES_BIN'];
  const context = { programs: names, wantedMajor: need.atLeastMajor, searchedOnly: only };
  const hint = installHint(need, only);
  if (found.length === 0) {
    const where = only === undefined ? 'on this machine' : 'where HOLDFAST_POSTGRES_BIN says';
    return new HoldfastError('program-missing', `${names} of PostgreSQL ${need.atLeastMajor} not found ${where}`, {
      hint,
      context,
    });
  }
  const versions = [...new Set(found.map(({ version }) => version))].join(', ');
  return new HoldfastError(
    'program-too-old',
    `${names} must be of PostgreSQL ${wantedRange(need)}, and only ${versions} is here`,
    { hint, context: { ...context, found: versions } },
  );
}

function wantedRange({ atLeastMajor, atMostMajor }: PostgresProgramsNeed): string {
  if (atMostMajor === undefined) return `${atLeastMajor} or newer`;
  return atMostMajor === atLeastMajor ? `${atLeastMajor}` : `${atLeastMajor} to ${atMostMajor}`;
}

function installHint(need: PostgresProgramsNeed, only: string | undefined): string {
  const server = need.programs.some((each) => each === 'initdb' || each === 'postgres' || each === 'pg_ctl');
  const major = need.atLeastMajor;
  const debian = server ? `postgresql-${major}` : `postgresql-client-${major}`;
  const redHat = server ? `postgresql${major}-server` : `postgresql${major}`;
  const install = `Install ${debian} (Debian, Ubuntu), ${redHat} (Red Hat) or postgresql@${major} (Homebrew)`;
  return only === undefined
    ? `${install}, or set HOLDFAST_POSTGRES_BIN to the directory that has them.`
    : `${install}, and let HOLDFAST_POSTGRES_BIN name its directory, or unset it.`;
}
