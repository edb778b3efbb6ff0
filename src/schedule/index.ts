/** When things are due and how long they stay: the plan's words for schedules and retention, and what follows. Pure; the time is given. */
export { monthsBeforeMs } from './calendar.ts';
export { longestGapMs } from './gap.ts';
export {
  COUNT_RULES,
  type DatedSnapshot,
  type Judged,
  judge,
  type KeepCount,
  type KeepReason,
  type RetentionPolicy,
  SPAN_RULES,
} from './retention.ts';
export { isTimezone, lastDue, nextDue, parseSchedule, SCHEDULE_NOTATION, type Schedule } from './schedule.ts';
