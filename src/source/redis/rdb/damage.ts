import { HoldfastError } from '../../../foundation/errors.ts';

/** What cannot be in an RDB that a server wrote; the reader says where. */
export class RdbDamage extends Error {}

/** What a server may well write, and this version does not know. */
export class RdbUnknown extends Error {}

/** Whose RDB it is: it decides what damage is called. */
export type RdbOrigin = 'source' | 'snapshot';

/** @param offset the byte where the reader was */
export function rdbFailure(error: unknown, origin: RdbOrigin, offset: number): unknown {
  if (error instanceof RdbUnknown) {
    return new HoldfastError('source-unsupported', `the RDB has ${error.message}, which this version does not know`, {
      hint: 'Use a version of Holdfast that knows what this server writes.',
      context: { offset },
    });
  }
  if (!(error instanceof RdbDamage)) return error;
  return new HoldfastError(
    origin === 'source' ? 'source-damaged' : 'repository-damaged',
    `the RDB is damaged: ${error.message}, at byte ${offset}`,
    {
      hint:
        origin === 'source'
          ? 'Run the backup again; should it stay, the memory or the disk of the server is what to look at.'
          : 'Restore another snapshot, and have this one examined with `holdfast check --read-data`.',
      retryable: origin === 'source',
      context: { offset },
    },
  );
}
