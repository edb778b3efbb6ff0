import type { KeptLocked } from '../operations/index.ts';
import { bad, counted, good, oneLine, shownTime } from './text.ts';

/** What became of the locks of a repository; nothing is said where nothing was due. */
export function describeLocks({ repository, extended, until, error }: KeptLocked): string[] {
  const lines: string[] = [];
  if (extended > 0 && until !== undefined) {
    lines.push(oneLine`${good('locked')}  ${repository}: ${counted(extended, 'object')} until ${shownTime(until)}`);
  }
  if (error !== undefined) lines.push(oneLine`${bad('lock')}  ${repository}: ${error.message}`);
  if (error?.hint !== undefined) lines.push(`  ${error.hint}`);
  return lines;
}
