import { type ErrorCode, HoldfastError, isHoldfastError, messageOf, systemCode } from '../../../foundation/errors.ts';
import { type Location, labelOf } from './location.ts';
import type { ReplyError } from './resp.ts';

/** Which end of a backup or restore a server is at: it decides what its failures are called. */
export type Side = 'source' | 'target';

/** What a server says of who may not log in, and what is to be done about it. */
const LOGIN_REFUSED: ReadonlyMap<string, string> = new Map([
  ['WRONGPASS', 'See whether user and password in the URL are right; special characters are percent-encoded there.'],
  ['NOAUTH', 'The server asks for a password: give the URL one.'],
  ['DENIED', 'See what the server says of who may connect, such as its protected mode.'],
]);
/** What passes by itself. */
const LATER = new Set(['LOADING', 'BUSY', 'MASTERDOWN', 'NOMASTERLINK', 'TRYAGAIN', 'CLUSTERDOWN']);

/** A connection that could not be made, or broke, said as what it means. */
export function connectFailure(error: unknown, location: Location, side: Side): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const where = labelOf(location);
  const context = { server: where, reason: reasonOf(error) };
  if (isTlsProblem(error)) {
    return new HoldfastError(sided('source-refused', side), `no secure connection to ${where}`, {
      hint: "Compare the URL's cacert, cert and key with what the server wants; a server without TLS is named by redis://.",
      context,
      cause: error,
    });
  }
  return new HoldfastError(sided('source-unreachable', side), `no connection to ${where}`, {
    hint: 'See whether the server runs, and whether its host name, port and the network between are right.',
    retryable: true,
    context,
    cause: error,
  });
}

/** @param doing completes "while" */
export function lostConnection(error: unknown, location: Location, side: Side, doing: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError(sided('source-lost', side), `lost the server at ${labelOf(location)}`, {
    hint: "See in the server's log why it ended the connection, and run this again.",
    retryable: true,
    context: { server: labelOf(location), doing, reason: reasonOf(error) },
    cause: error,
  });
}

/** An error that the server answered with. @param doing completes "could not" */
export function refusal(error: ReplyError, location: Location, side: Side, doing: string): HoldfastError {
  const context = { server: labelOf(location), reason: error.message, kind: error.kind };
  const hint = LOGIN_REFUSED.get(error.kind);
  if (hint !== undefined) {
    const message = `the server at ${labelOf(location)} refused the login: ${error.message}`;
    return new HoldfastError(sided('source-refused', side), message, { hint, context });
  }
  return new HoldfastError(sided('source-refused', side), `could not ${doing}: ${error.message}`, {
    hint:
      error.kind === 'NOPERM'
        ? `Give the user what it lacks with ACL SETUSER; docs/redis.md lists what a ${side === 'source' ? 'backup' : 'restore'} needs.`
        : 'See what the server says in the reason.',
    retryable: LATER.has(error.kind),
    context,
  });
}

/** What the server sent is nothing that it could have meant. */
export function nonsense(location: Location, what: string): HoldfastError {
  return new HoldfastError('source-damaged', `the server at ${labelOf(location)} answered with ${what}`, {
    hint: 'See whether it is a Redis or Valkey server that listens there.',
    context: { server: labelOf(location) },
  });
}

/** @param silenceMs as long as nothing came */
export function silent(location: Location, silenceMs: number): HoldfastError {
  return new HoldfastError('timed-out', `the server at ${labelOf(location)} said nothing for ${silenceMs / 1000} s`, {
    hint: 'See whether it is busy with one long command or script, and whether the network holds.',
    retryable: true,
    context: { server: labelOf(location), silenceMs },
  });
}

/** Whether what `refusal` gave says that the password is not that of the user, or that the user is turned off. */
export function isWrongPassword(error: unknown): boolean {
  return isHoldfastError(error) && error.context['kind'] === 'WRONGPASS';
}

function sided(code: ErrorCode, side: Side): ErrorCode {
  return side === 'source' ? code : 'target-failed';
}

function reasonOf(error: unknown): string {
  // Node tries every address of a host, and gives one error for each with an empty message around them.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}

function isTlsProblem(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === 'string' && /CERT|ERR_SSL|ERR_TLS|SELF_SIGNED|UNABLE_TO_/.test(code)) return true;
  return systemCode(error) === 'EPROTO';
}
