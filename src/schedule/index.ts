/** When things are due: the plan's words for schedules, and what follows from them. Pure; the time is given. */
export { longestGapMs } from './gap.ts';
export { isTimezone, parseSchedule, SCHEDULE_NOTATION, type Schedule } from './schedule.ts';
