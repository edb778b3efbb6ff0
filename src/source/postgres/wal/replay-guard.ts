import { readdir } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { LogGuard } from '../../log.ts';
import { WalRecords } from './records.ts';

/**
 * A server that replays the making of a tablespace makes it where it was: beside the server that lives it would write into
 * that one's files. See `Source.guardReplay`.
 */
export function guardReplay(): LogGuard {
  const made: string[] = [];
  const records = new WalRecords((record) => {
    if (record.kind === 'tablespace') made.push(record.location);
  });
  return async ({ lsn, bytes }) => {
    records.take(lsn, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    for (const location of made.splice(0)) {
      if (isAbsolute(location) && (await holdsSomething(location))) throw inUse(location);
    }
  };
}

/** What cannot be looked at may hold anything. */
async function holdsSomething(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

function inUse(location: string): HoldfastError {
  return new HoldfastError(
    'target-unsuitable',
    `the log makes a tablespace at ${location} behind the backup, and something lies there on this machine: to replay it here would overwrite that`,
    {
      hint: 'Take a backup, from which the tablespace comes to a place of its own; or go back to a moment before it was made; or restore on a machine where nothing lies there.',
      context: { location },
    },
  );
}
