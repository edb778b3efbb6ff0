import { ERROR_EXITS, type ErrorCode, EXIT } from '../../foundation/errors.ts';

/**
 * Whether a restore that failed was tried: else it was interrupted, or refused before anything was written, since it was asked
 * for in the wrong way or its target held something. That shows nothing of whether the source comes back. Pure.
 * @param code of the event `restore.failed`
 */
export function wasAttempted(code: string): boolean {
  if (code === 'interrupted' || code === 'target-not-empty') return false;
  return ERROR_EXITS[code as ErrorCode] !== EXIT.usage;
}
