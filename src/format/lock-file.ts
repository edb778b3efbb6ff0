import { HoldfastError } from '../foundation/errors.ts';
import { asRecord } from './sealed-json.ts';
import { parseTimeMs } from './time.ts';

/** A lock: who uses the repository, and whether others may at the same time. Source: restic's design document, "Locks". */
export interface LockFile {
  /** RFC 3339; rewritten when the lock is refreshed. */
  time: string;
  exclusive: boolean;
  hostname: string;
  username: string;
  pid: number;
  uid?: number;
  gid?: number;
}

/** @throws repository-damaged */
export function decodeLockFile(document: unknown): LockFile {
  const { time, exclusive, hostname, username, pid } = asRecord(document, 'a lock');
  if (typeof time !== 'string' || parseTimeMs(time) === undefined) {
    throw new HoldfastError('repository-damaged', 'a lock has no valid time');
  }
  return {
    time,
    exclusive: exclusive === true,
    hostname: typeof hostname === 'string' ? hostname : '',
    username: typeof username === 'string' ? username : '',
    pid: typeof pid === 'number' ? pid : 0,
  };
}
