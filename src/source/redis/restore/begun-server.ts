import { hash } from 'node:crypto';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { Connection } from '../connection/connection.ts';
import { labelOf } from '../connection/location.ts';
import { ReplyError } from '../connection/resp.ts';

/**
 * A server that a run of a runbook fills. As whom it would log in at a master says which run: a setting that no master of ours
 * looks at, that what is loaded does not touch, and that is empty on nearly every server. It is made while the server is empty,
 * and goes as the last of all, or when the server ends. Where it is found, every key came since, and from that run.
 */
const SETTING = 'masteruser';

function markOf(begunBy: string): string {
  return `holdfast-restore-${hash('sha256', begunBy).slice(0, 32)}`;
}

/**
 * Empties a server that this very run half filled, and was killed; any other is left as it is.
 * @throws target-unsuitable where somebody else uses it
 */
export async function emptyWhereBegun(connection: Connection, begunBy: string): Promise<void> {
  if ((await setting(connection)) !== markOf(begunBy)) return;
  await refuseUsed(connection);
  await connection.call('make it its own master again', ['REPLICAOF', 'NO', 'ONE']);
  await connection.call('remove what a killed restore left', ['FLUSHALL']);
  // Servers before 7.0 have none.
  await connection.attempt('remove the functions that it left', ['FUNCTION', 'FLUSH']);
}

/** Of an empty server. Where the setting is somebody's, or may not be changed, it goes without: what is left then is for a person. */
export async function markBegun(connection: Connection, begunBy: string): Promise<void> {
  if ((await setting(connection)) === '') await set(connection, markOf(begunBy));
}

/** Everything is there. */
export async function releaseBegun(connection: Connection, begunBy: string): Promise<void> {
  if ((await setting(connection)) === markOf(begunBy)) await set(connection, '');
}

/** @returns undefined where it cannot be asked, or the server knows no such setting */
async function setting(connection: Connection): Promise<string | undefined> {
  const reply = await connection.attempt('ask for its settings', ['CONFIG', 'GET', SETTING]);
  return Array.isArray(reply) && reply.length === 2 ? String(reply[1]) : undefined;
}

function set(connection: Connection, value: string): Promise<unknown> {
  return connection.attempt('change its settings', ['CONFIG', 'SET', SETTING, value]);
}

async function refuseUsed(connection: Connection): Promise<void> {
  const listed = await connection.attempt('see who else uses it', ['CLIENT', 'LIST', 'TYPE', 'normal']);
  const where = labelOf(connection.location);
  if (listed instanceof ReplyError) {
    throw new HoldfastError(
      'target-unsuitable',
      `the server at ${where} was half filled by this step before, and who else uses it cannot be seen: ${listed.message}`,
      { hint: 'Let the user run CLIENT LIST (`+client|list`); or see that nobody else is there, and run FLUSHALL.' },
    );
  }
  if (String(listed).trim().split('\n').length <= 1) return;
  throw new HoldfastError(
    'target-unsuitable',
    `the server at ${where} was half filled by this step before, and others are connected to it`,
    { hint: 'See CLIENT LIST. Once nobody is there any more, the step empties it, and fills it again.' },
  );
}
