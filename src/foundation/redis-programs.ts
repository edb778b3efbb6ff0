import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { HoldfastError } from './errors.ts';
import { runProgram } from './process.ts';

/** The form of an RDB file, and whose it is: Valkey has forms of its own since version 9. */
export interface RdbForm {
  rdbVersion: number;
  isValkeyRdb: boolean;
}

/** A server program of Redis or Valkey. */
export interface RedisProgram {
  server: 'Redis' | 'Valkey';
  /** As it prints it: `7.0.15`. */
  version: string;
  path: string;
}

/** From which version of Redis on a server loads a form. Source: what servers of these versions write themselves. */
const FORMS: readonly (readonly [major: number, minor: number, form: number])[] = [
  [7, 4, 12],
  [7, 2, 11],
  [7, 0, 10],
  [5, 0, 9],
  [4, 0, 8],
  [3, 2, 7],
  [2, 6, 6],
];
const OLDEST_FORM = 5;
/** Valkey takes no newer form of Redis's, and has its own from that version on. */
const VALKEY = { newestRedisForm: 11, ownFormsFrom: 9 } as const;

/** Whether a server can load an RDB of that form, by its version. */
export function loadsRdb({ server, version }: Pick<RedisProgram, 'server' | 'version'>, rdb: RdbForm): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (rdb.isValkeyRdb) return server === 'Valkey' && major >= VALKEY.ownFormsFrom;
  if (server === 'Valkey') return rdb.rdbVersion <= VALKEY.newestRedisForm;
  const form = FORMS.find(([from, fromMinor]) => major > from || (major === from && minor >= fromMinor))?.[2];
  return rdb.rdbVersion <= (form ?? OLDEST_FORM);
}

const NAMES = ['redis-server', 'valkey-server'];
const USUAL_DIRECTORIES = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/sbin'];
const VERSION_TIMEOUT_MS = 10_000;

/**
 * Finds a server program that loads an RDB of that form: in `HOLDFAST_REDIS_BIN` (directories, separated as in PATH) and
 * nowhere else when it is set, without it in PATH and where packages put them. One of the same make is preferred.
 * @throws program-missing when there is none; program-too-old when there are only others
 */
export async function findRedisServer(
  need: RdbForm & Pick<RedisProgram, 'server' | 'version'>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RedisProgram> {
  const found = await listRedisServers(environment);
  const suitable = found.filter((program) => loadsRdb(program, need));
  const chosen = suitable.find(({ server }) => server === need.server) ?? suitable[0];
  if (chosen !== undefined) return chosen;
  const only = environment['HOLDFAST_REDIS_BIN'];
  const hint =
    only === undefined
      ? `Install ${need.server === 'Redis' ? 'redis-server' : 'valkey'} (Debian, Ubuntu: redis-server or valkey-server), or set HOLDFAST_REDIS_BIN to the directory that has it.`
      : 'Let HOLDFAST_REDIS_BIN name the directory that has it, or unset it.';
  const context = { wanted: `${need.server} ${need.version}`, searchedOnly: only };
  if (found.length === 0) {
    throw new HoldfastError('program-missing', `no server program of ${need.server} found on this machine`, {
      hint,
      context,
    });
  }
  const here = found.map(({ server, version }) => `${server} ${version}`).join(', ');
  throw new HoldfastError(
    'program-too-old',
    `what ${need.server} ${need.version} wrote is loaded by no server that is here: ${here}`,
    { hint, context: { ...context, found: here } },
  );
}

async function listRedisServers(environment: NodeJS.ProcessEnv): Promise<RedisProgram[]> {
  const given = directoriesOf(environment['HOLDFAST_REDIS_BIN']);
  const directories = given.length > 0 ? given : [...directoriesOf(environment['PATH']), ...USUAL_DIRECTORIES];
  const paths = NAMES.flatMap((name) => [...new Set(directories)].map((directory) => join(directory, name)));
  const programs = await Promise.all(paths.map((path) => programAt(path, environment)));
  return programs.filter((program) => program !== undefined);
}

function directoriesOf(list: string | undefined): string[] {
  return (list ?? '').split(delimiter).filter((directory) => directory !== '');
}

async function programAt(path: string, environment: NodeJS.ProcessEnv): Promise<RedisProgram | undefined> {
  try {
    await access(path, constants.X_OK);
    const { output } = await runProgram(path, ['--version'], {
      environment: { PATH: environment['PATH'] ?? '', LC_ALL: 'C' },
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    const [, make, version] = /^(Redis|Valkey) server v=(\d+\.\d+\S*)/.exec(output) ?? [];
    return version === undefined ? undefined : { server: make as RedisProgram['server'], version, path };
  } catch {
    // What is not there, or cannot even say its version, is no candidate; when none is left, that is the error.
    return undefined;
  }
}
