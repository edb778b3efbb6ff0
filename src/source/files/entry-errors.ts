import { HoldfastError, isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';

/** What is said of one entry that could not be captured, the others being captured all the same. @throws what is no matter of an entry */
export function errorOfEntry(error: unknown): HoldfastError {
  if (isHoldfastError(error, 'source-lost')) return error;
  const code = systemCode(error);
  const syscall = (error as { syscall?: unknown }).syscall;
  if (code === undefined || syscall === undefined || code === 'ENOSPC') throw error;
  const message = code === 'ENOENT' ? 'vanished while the backup was running' : `cannot be read: ${messageOf(error)}`;
  const kind = code === 'EACCES' || code === 'EPERM' ? 'permission-denied' : 'source-lost';
  return new HoldfastError(kind, message, { cause: error });
}

export function changedWhileRead(): HoldfastError {
  return new HoldfastError(
    'source-lost',
    'changed while it was read: what was stored may be a mixture of before and after',
    {
      hint: 'Back up again when nobody writes to it, or take the backup from a snapshot of the file system.',
    },
  );
}
