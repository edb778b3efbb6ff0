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
  /** What Holdfast adds to its own; restic passes it over. */
  holdfast?: HoldfastLock;
}

/** What holders that are Holdfast's know of each other, beyond shared and exclusive. */
export interface HoldfastLock {
  /**
   * `shared` reads, or writes what is new, and keeps off what its marks name; `whole` looks at everything; `upkeep` removes
   * what its marks name, beside any number of `shared` ones that know them; `exclusive` is alone.
   */
  access: 'shared' | 'whole' | 'upkeep' | 'exclusive';
  /** Ids (hex) of marks: see `Mark` in the repository. */
  marks: string[];
}

const ACCESSES: readonly unknown[] = ['shared', 'whole', 'upkeep', 'exclusive'] satisfies HoldfastLock['access'][];

/** @throws repository-damaged */
export function decodeLockFile(document: unknown): LockFile {
  const { time, exclusive, hostname, username, pid, holdfast } = asRecord(document, 'a lock');
  if (typeof time !== 'string' || parseTimeMs(time) === undefined) {
    throw new HoldfastError('repository-damaged', 'a lock has no valid time');
  }
  return {
    time,
    exclusive: exclusive === true,
    hostname: typeof hostname === 'string' ? hostname : '',
    username: typeof username === 'string' ? username : '',
    pid: typeof pid === 'number' ? pid : 0,
    ...(isHoldfastLock(holdfast) && { holdfast: { access: holdfast.access, marks: holdfast.marks } }),
  };
}

/** What is not understood of it makes it a lock like anybody else's. */
function isHoldfastLock(value: unknown): value is HoldfastLock {
  if (typeof value !== 'object' || value === null) return false;
  const { access, marks } = value as Record<string, unknown>;
  return ACCESSES.includes(access) && Array.isArray(marks) && marks.every((id) => typeof id === 'string');
}
