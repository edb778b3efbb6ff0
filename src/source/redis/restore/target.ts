import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { loadsRdb } from '../../../foundation/redis-programs.ts';
import type { Connection } from '../connection/connection.ts';
import { refusal } from '../connection/failures.ts';
import { type Location, labelOf, parseLocation } from '../connection/location.ts';
import { ReplyError } from '../connection/resp.ts';
import type { RedisDetails } from '../details.ts';
import { inspectServer, type ServerFacts } from '../server.ts';

/** Where a server is that is no source of the plan. @throws target-unsuitable where it is a database of another kind */
export function targetLocation(url: string): Location {
  try {
    return parseLocation(url);
  } catch (error) {
    if (!isHoldfastError(error, 'plan-invalid')) throw error;
    throw new HoldfastError('target-unsuitable', `the target is no Redis server: ${error.message}`, {
      ...(error.hint !== undefined && { hint: error.hint }),
      cause: error,
    });
  }
}

/**
 * Says whether a server takes a restore.
 * @param isPart only some keys are wanted: then it may hold others
 * @throws target-not-empty, target-unsuitable, target-failed
 */
export async function refuseServer(
  connection: Connection,
  details: RedisDetails,
  isPart: boolean,
): Promise<ServerFacts> {
  const facts = await inspectServer(connection);
  const where = labelOf(connection.location);
  const context = { server: where, version: facts.version };
  if (facts.role !== 'master') {
    throw new HoldfastError('target-unsuitable', `the server at ${where} is a replica of another one`, {
      hint: 'Restore to its master; or, if a restore was interrupted here, run `REPLICAOF NO ONE` and `FLUSHALL` there.',
      context,
    });
  }
  if (facts.isCluster) {
    throw new HoldfastError('target-unsuitable', `the server at ${where} is a part of a cluster`, {
      hint: 'Restore to a server by itself.',
      context,
    });
  }
  if (!loadsRdb(facts, details)) {
    throw new HoldfastError(
      'target-unsuitable',
      `${facts.server} ${facts.version} at ${where} is older than what wrote the backup, ${details.server} ${details.serverVersion}, and cannot load it`,
      { hint: `Restore to ${details.server} ${details.serverVersion} or newer.`, context },
    );
  }
  await refuseDatabases(connection, details);
  if (isPart) return facts;
  const keys = [...facts.databases.values()].reduce((sum, each) => sum + each, 0);
  const hasFunctions = await hasLibraries(connection, facts);
  if (keys === 0 && !hasFunctions) return facts;
  throw new HoldfastError(
    'target-not-empty',
    `the server at ${where} is not empty: it has ${keys} keys${hasFunctions ? ', and functions' : ''}`,
    { hint: 'Restore to a server without keys: a restore never overwrites what is there.', context },
  );
}

/** A restore would replace them. The server says how many there are to who may not list them, too. */
async function hasLibraries(connection: Connection, { fields }: ServerFacts): Promise<boolean> {
  const said = fields.get('number_of_libraries');
  if (said !== undefined) return Number(said) > 0;
  const libraries = await connection.attempt('list the functions', ['FUNCTION', 'LIST']);
  return Array.isArray(libraries) && libraries.length > 0;
}

/** A server that gets keys of a database that it does not have ends itself. */
async function refuseDatabases(connection: Connection, { counts }: RedisDetails): Promise<void> {
  const highest = counts.reduce((most, { database }) => Math.max(most, database), 0);
  const doing = `choose database ${highest}`;
  const chosen = await connection.attempt(doing, ['SELECT', highest]);
  if (chosen instanceof ReplyError) {
    if (chosen.kind === 'NOPERM') throw refusal(chosen, connection.location, 'target', doing);
    throw new HoldfastError(
      'target-unsuitable',
      `the server at ${labelOf(connection.location)} has no database ${highest}, of which the backup has keys`,
      { hint: `Set \`databases ${highest + 1}\` in its configuration, or more, and start it again.` },
    );
  }
  await connection.call('choose a database', ['SELECT', 0]);
}
