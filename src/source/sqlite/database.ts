import { DatabaseSync } from 'node:sqlite';
import { type ErrorCode, HoldfastError, messageOf } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';

/** On which side a database is: what goes wrong there is told accordingly. */
export type Side = 'source' | 'target';

/** SQLite's primary result codes. Source: its documentation, "Result and Error Codes". */
const [BUSY, LOCKED, CORRUPT, NOT_A_DATABASE] = [5, 6, 11, 26];

const LOCK_TIMEOUT_MS = 60_000;
const LOCK_STEP_MS = 50;

/** Opens a database to be read. @throws source-unreachable, source-refused, source-damaged; target-failed on the other side */
export function openDatabase(path: string, side: Side): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly: true, timeout: LOCK_STEP_MS });
  } catch (error) {
    throw failure(error, path, side);
  }
}

/**
 * Begins a transaction that reads one moment. Who writes meanwhile goes on, where the database is in WAL mode; elsewhere he
 * waits at his commit.
 * @throws timed-out where somebody keeps it locked
 */
export async function beginReading(database: DatabaseSync, path: string, signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += LOCK_STEP_MS * 2) {
    signal.throwIfAborted();
    try {
      database.exec('BEGIN; SELECT count(*) FROM sqlite_schema');
      return;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      const code = resultOf(error);
      if (code !== BUSY && code !== LOCKED) throw failure(error, path, 'source');
      if (waitedMs >= LOCK_TIMEOUT_MS) throw lockedFor(path, error);
      await pauseUntilAborted(signal)(LOCK_STEP_MS);
    }
  }
}

/** The error to throw for what SQLite threw. */
export function failure(error: unknown, path: string, side: Side): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const isDamaged = [CORRUPT, NOT_A_DATABASE].includes(resultOf(error) ?? 0);
  const code: ErrorCode = side === 'target' ? 'target-failed' : isDamaged ? 'source-damaged' : 'source-refused';
  const hint = isDamaged
    ? 'It is damaged, or no SQLite database: see what `PRAGMA integrity_check` says of it.'
    : 'Let the user that runs this read the file and write in its directory, where SQLite keeps what it shares with others.';
  return new HoldfastError(code, `${path} cannot be read: ${messageOf(error)}`, {
    hint,
    context: { path },
    cause: error,
  });
}

function resultOf(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

function lockedFor(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('timed-out', `somebody has kept ${path} locked for ${LOCK_TIMEOUT_MS / 1000} seconds`, {
    hint: 'Wait until that has ended, and run the backup again. In WAL mode nobody keeps a reader out.',
    retryable: true,
    context: { path },
    cause,
  });
}
