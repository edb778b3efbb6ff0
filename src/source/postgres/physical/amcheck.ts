import { type HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { findPostgresPrograms } from '../../../foundation/postgres-programs.ts';
import { runProgram } from '../../../foundation/process.ts';
import type { Check } from '../../index.ts';
import { databaseArgument, type Location, programEnvironment } from '../location.ts';
import { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';

/** Of what it says, this much becomes part of the check. */
const LINES = 4;
const CHARACTERS = 600;

/**
 * What a role or a database of the cluster may have set must not decide whether it can be checked. Triggers on events do
 * not fire for a replica: the extension is made without asking the cluster's own code.
 */
const SETTINGS = '-c session_replication_role=replica -c statement_timeout=0 -c lock_timeout=0 -c search_path=';

export interface StructureChecked {
  check?: Check;
  notes: string[];
}

/** The path of pg_amcheck of a server's own version; or why there is none, and what to install. */
export async function findAmcheck(majorVersion: number): Promise<{ path: string } | { missing: string }> {
  try {
    const need = { programs: ['pg_amcheck'] as const, atLeastMajor: majorVersion, atMostMajor: majorVersion };
    return { path: (await findPostgresPrograms(need)).path('pg_amcheck') };
  } catch (error) {
    if (!isHoldfastError(error, 'program-missing') && !isHoldfastError(error, 'program-too-old')) throw error;
    return { missing: `heaps and indexes were not checked: ${error.message}. ${error.hint ?? ''}`.trim() };
  }
}

/**
 * Has pg_amcheck look at every heap and B-tree of a database, which is a throwaway: the extension that it needs is made there.
 *
 * With `--parent-check`, which also holds each page of an index against the one above it: on a cluster of 280 MB, half of
 * it indexes, it took 0.42 to 0.54 s, and 0.37 to 0.42 s without; nobody else waits for its lock. Without
 * `--heapallindexed`, which took 1.2 s.
 */
export async function checkStructure(location: Location, path: string, signal: AbortSignal): Promise<StructureChecked> {
  const { database } = location;
  const options = `${location.parameters.get('options') ?? ''} ${SETTINGS}`.trim();
  const own: Location = { ...location, parameters: new Map([...location.parameters, ['options', options]]) };
  let sortsAlike: boolean;
  try {
    const prepared = await prepare(own, signal);
    if (prepared === undefined) return { notes: [withoutExtension(database)] };
    sortsAlike = prepared.sortsAlike;
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error) || error.context['sqlState'] === undefined) throw error;
    return { notes: [`heaps and indexes of ${database} were not checked: ${error.message}`] };
  }
  const check = await runAmcheck(own, path, sortsAlike ? ['--parent-check'] : ['--no-dependent-indexes'], signal);
  return { check, notes: sortsAlike ? [] : [sortsOtherwise(database)] };
}

/** Makes the extension, or brings it to the version that this pg_amcheck knows. @returns undefined where it is not on this machine */
async function prepare(location: Location, signal: AbortSignal): Promise<{ sortsAlike: boolean } | undefined> {
  const session = await Session.open(location, { side: 'target', signal });
  try {
    const available = await session.query(
      'look for the extension amcheck',
      `SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'`,
    );
    if (available.length === 0) return undefined;
    await session.query(
      'make the extension amcheck',
      'CREATE EXTENSION IF NOT EXISTS amcheck WITH SCHEMA pg_catalog; ALTER EXTENSION amcheck UPDATE',
    );
    const { differ } = await session.one('compare how texts are sorted', sqlFile('collations'));
    return { sortsAlike: differ === 'false' };
  } finally {
    await session.close();
  }
}

async function runAmcheck(
  location: Location,
  path: string,
  options: readonly string[],
  signal: AbortSignal,
): Promise<Check> {
  const name = `heaps and indexes of ${location.database}`;
  let said = '';
  const words = [...options, '--no-password', databaseArgument(location)];
  try {
    await runProgram(path, words, {
      environment: programEnvironment(location),
      signal,
      onOutput: (bytes) => {
        if (said.length < CHARACTERS) said += Buffer.from(bytes).toString('utf8');
      },
    });
    const which = options.includes('--no-dependent-indexes') ? 'heaps' : 'heaps and B-trees';
    return { name, result: 'passed', detail: `pg_amcheck finds nothing wrong with the ${which}` };
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error, 'program-failed')) throw error;
    return { name, result: 'failed', detail: firstLines(said, error) };
  }
}

/** What amcheck says names relations, blocks and positions, and no values. */
function firstLines(said: string, error: HoldfastError): string {
  const text = said.trim() === '' ? String(error.context['said'] ?? error.message) : said;
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .slice(0, LINES)
    .join(' ')
    .slice(0, CHARACTERS);
}

function withoutExtension(database: string): string {
  return `heaps and indexes of ${database} were not checked: the server's extension amcheck is not on this machine. Install postgresql-contrib of its version, which Debian and Ubuntu have in the server's own package.`;
}

function sortsOtherwise(database: string): string {
  return `indexes of ${database} were not checked: this machine's library sorts texts otherwise than the one of the server, or in another version`;
}
