import { HoldfastError } from '../foundation/errors.ts';

/** A failure that could not be recorded either: both are told. */
export function notRecorded(error: HoldfastError, why: HoldfastError): HoldfastError {
  return new HoldfastError(error.code, `${error.message}; and this could not be recorded: ${why.message}`, {
    ...(error.hint !== undefined && { hint: error.hint }),
    context: error.context,
    cause: error,
  });
}
