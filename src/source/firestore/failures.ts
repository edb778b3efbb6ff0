import { HoldfastError, messageOf } from '../../foundation/errors.ts';

/** Which end of a backup or restore a database is at: it decides what its failures are called. */
export type Side = 'source' | 'target';

/** Of gRPC. */
export const CODE = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  failedPrecondition: 9,
  unimplemented: 12,
  unauthenticated: 16,
} as const;

/** The gRPC code of an error of the client's, if it is one. */
export function codeOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

/** An error of the client's, said as what it means for a database that was to be read or written. */
export function firestoreFailure(error: unknown, database: string, side: Side): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = codeOf(error);
  const context = { database, code, reason: messageOf(error) };
  const refused = side === 'source' ? 'source-refused' : 'target-failed';
  if (code === CODE.notFound) {
    return new HoldfastError(refused, `there is no database ${database}`, {
      hint:
        side === 'source'
          ? 'Compare `project` and `database` in the plan with `gcloud firestore databases list`.'
          : 'Add `--create` to have it made, or name one that exists.',
      ...{ context, cause: error },
    });
  }
  const isCredentials = code === undefined && /credential|authenticat/i.test(messageOf(error));
  if (code === CODE.permissionDenied || code === CODE.unauthenticated || isCredentials) {
    return new HoldfastError(refused, `the credentials may not use ${database}: ${messageOf(error)}`, {
      hint: `Give them the role \`roles/datastore.${side === 'source' ? 'viewer' : 'user'}\`, or name others in GOOGLE_APPLICATION_CREDENTIALS.`,
      ...{ context, cause: error },
    });
  }
  const kind = side === 'source' ? 'source-unreachable' : 'target-failed';
  return new HoldfastError(kind, `${database} does not answer as it should: ${messageOf(error)}`, {
    hint: 'See whether the network lets this machine reach firestore.googleapis.com; what is transient was tried again.',
    ...{ retryable: true, context, cause: error },
  });
}
