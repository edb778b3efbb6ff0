import { formatDuration } from '../../../foundation/units.ts';

/** For a person: who may still get in where a server does not show who had connected before and has sent nothing. */
export function silentText(silentMs: number): string {
  if (silentMs === 0) return '';
  return `; only who had connected before, and has sent nothing yet, could get in within ${formatDuration(silentMs)} from then`;
}
