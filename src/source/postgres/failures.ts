import type { ErrorCode } from '../../foundation/errors.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { type Location, labelOf } from './location.ts';

/** Which end of a backup or restore a server is at: it decides what its failures are called. */
export type Side = 'source' | 'target';

/** SQLSTATEs of a login that is refused, or a database that is not there. */
const REFUSED = /^(28|3D000|42501|53300|0A000)/;
/** SQLSTATEs of a server that starts, stops, or has just crashed. */
const NOT_SERVING = /^57P0[1-5]$/;
const CONNECTION_LOST = /^08/;
/** What pg says when it was asked for a password and has none. */
const LACKS_PASSWORD = /password must be a (non-empty )?string/;
const LOST_MESSAGE =
  /connection (terminated|ended|closed|error)|not queryable|server closed the connection|socket hang up/i;

/** An error of pg's, said as what it means for a connection that was to be made. */
export function connectFailure(error: unknown, location: Location, side: Side): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const state = sqlState(error);
  const where = labelOf(location);
  const context = { database: where, user: location.user, sqlState: state, reason: reasonOf(error) };
  if (state !== undefined && REFUSED.test(state)) {
    return new HoldfastError(
      side === 'source' ? 'source-refused' : 'target-failed',
      `the server refused the login to ${where}`,
      {
        hint: refusalHint(state),
        retryable: state === '53300',
        context,
        cause: error,
      },
    );
  }
  if (LACKS_PASSWORD.test(messageOf(error))) {
    return new HoldfastError(
      side === 'source' ? 'source-refused' : 'target-failed',
      `the server wants a password for ${where}, and the URL has none`,
      { hint: 'Give the password in the URL, by a reference to a secret.', context, cause: error },
    );
  }
  if (isTlsProblem(error)) {
    return new HoldfastError(
      side === 'source' ? 'source-refused' : 'target-failed',
      `no secure connection to ${where}`,
      {
        hint: "Compare the URL's sslmode and sslrootcert with what the server offers.",
        context,
        cause: error,
      },
    );
  }
  return new HoldfastError(side === 'source' ? 'source-unreachable' : 'target-failed', `no connection to ${where}`, {
    hint: 'See whether the server runs, and whether its host name, port and the network between are right.',
    retryable: true,
    context,
    cause: error,
  });
}

/**
 * An error of pg's, said as what it means for work that was under way.
 * @param doing completes "could not …"
 */
export function workFailure(error: unknown, location: Location, side: Side, doing: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const state = sqlState(error);
  const where = labelOf(location);
  const context = { database: where, sqlState: state, reason: reasonOf(error) };
  if (isConnectionLoss(error)) {
    return new HoldfastError(side === 'source' ? 'source-lost' : 'target-failed', `lost the server of ${where}`, {
      hint: "See in the server's log why it ended the connection, and run this again.",
      retryable: true,
      context: { ...context, doing },
      cause: error,
    });
  }
  return new HoldfastError(workCode(state, side), `could not ${doing}: ${reasonOf(error)}`, {
    ...(state === undefined ? {} : { hint: workHint(state, location, side) }),
    retryable: state === '55P03' || state === '40001',
    context,
    cause: error,
  });
}

/** Whether the error tells that the server, or the way to it, is gone. */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return NOT_SERVING.test(state) || CONNECTION_LOST.test(state);
  return systemCode(error) !== undefined || LOST_MESSAGE.test(messageOf(error));
}

/** The five characters that PostgreSQL classifies an error by, if it is one of the server's. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  const severity = (error as { severity?: unknown } | null | undefined)?.severity;
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined;
}

/** What was said, with the server's detail. */
export function reasonOf(error: unknown): string {
  // Node tries every address of a host, and gives one error for each with an empty message around them.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  const detail = (error as { detail?: unknown } | null | undefined)?.detail;
  return typeof detail === 'string' ? `${messageOf(error)} (${detail})` : messageOf(error);
}

function isTlsProblem(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return (
    (typeof code === 'string' && /CERT|ERR_SSL|ERR_TLS|SELF_SIGNED|UNABLE_TO_/.test(code)) ||
    /does not support SSL/.test(messageOf(error))
  );
}

function workCode(state: string | undefined, side: Side): ErrorCode {
  if (side === 'target') return 'target-failed';
  return state === '55P03' ? 'timed-out' : 'source-refused';
}

function refusalHint(state: string): string {
  if (state === '3D000') return 'See whether the name of the database in the URL is right.';
  if (state === '53300') return 'The server has no connection left: raise max_connections, or try at a quieter time.';
  if (state === '42501') return 'Grant the role CONNECT on this database.';
  return "See whether user and password in the URL are right, and whether the server's pg_hba.conf lets them in from here.";
}

function workHint(state: string, { user }: Location, side: Side): string {
  if (state === '42501' && side === 'target') {
    return `Give the role what the reason says; to make databases: ALTER ROLE "${user}" CREATEDB. Or name a database that is empty and belongs to it.`;
  }
  if (state === '42501') return `Grant what is missing, for example: GRANT pg_read_all_data TO "${user}".`;
  if (state === '55P03') return 'Somebody holds an exclusive lock on a table: try again when that has ended.';
  return 'See what the server says in the reason.';
}
