import { durationNotation } from '../../../foundation/units.ts';

/** What may be lost where there are logical backups only, to follow a colon. */
export function lossWithoutLog(longestGapMs: number | undefined): string {
  if (longestGapMs === undefined) {
    return 'logical backups lose what came since the last one, and the plan has no schedule for it';
  }
  return `logical backups by the plan's schedule lose up to ${durationNotation(longestGapMs)} and what the backup itself takes`;
}
