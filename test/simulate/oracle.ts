/**
 * What a plan promises of a year, computed in the plainest way there is and without any code of the product, so that an
 * error there is not repeated here. Times are milliseconds since 1970; days, weeks and months are those of UTC.
 */

export interface PromisedRetention {
  hourly?: number;
  daily?: number;
  weekly?: number;
  monthly?: number;
  yearly?: number | 'forever';
  /** Days before the newest. */
  withinDays?: number;
}

const DAY_MS = 86_400_000;

/** The name of the hour, day, week (by its Monday), month or year that a moment lies in. */
const PERIODS: Readonly<Record<'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly', (timeMs: number) => string>> = {
  hourly: (timeMs) => new Date(timeMs).toISOString().slice(0, 13),
  daily: (timeMs) => new Date(timeMs).toISOString().slice(0, 10),
  weekly: (timeMs) => {
    const date = new Date(timeMs);
    const daysSinceMonday = (date.getUTCDay() + 6) % 7;
    return new Date(timeMs - daysSinceMonday * DAY_MS).toISOString().slice(0, 10);
  },
  monthly: (timeMs) => new Date(timeMs).toISOString().slice(0, 7),
  yearly: (timeMs) => new Date(timeMs).toISOString().slice(0, 4),
};

/** Of all backups that were ever taken, those that must be there now; no other may be. */
export function promised(takenMs: readonly number[], retention: PromisedRetention): Set<number> {
  const kept = new Set<number>();
  for (const [name, periodOf] of Object.entries(PERIODS)) {
    const count = retention[name as keyof typeof PERIODS];
    if (count === undefined) continue;
    const newestOf = new Map<string, number>();
    for (const timeMs of takenMs) newestOf.set(periodOf(timeMs), Math.max(timeMs, newestOf.get(periodOf(timeMs)) ?? 0));
    const newestFirst = [...newestOf.values()].sort((one, other) => other - one);
    for (const timeMs of count === 'forever' ? newestFirst : newestFirst.slice(0, count)) kept.add(timeMs);
    // As restic has it: as long as there are fewer periods than are to be kept, the oldest of all stays.
    if (count === 'forever' || newestFirst.length < count) kept.add(Math.min(...takenMs));
  }
  if (retention.withinDays !== undefined) {
    const newestMs = Math.max(...takenMs);
    for (const timeMs of takenMs) if (newestMs - timeMs < retention.withinDays * DAY_MS) kept.add(timeMs);
  }
  return kept;
}

/** When something is due, from one moment to another: `everyDays` apart on these days of the week or month, at an hour of UTC. */
export interface PromisedDays {
  atHour: number;
  /** 0 is Sunday. */
  weekday?: number;
  dayOfMonth?: number;
  /** 0 is January. */
  months?: readonly number[];
}

/** Every moment at which it was due. */
export function dueDays(
  { atHour, weekday, dayOfMonth, months }: PromisedDays,
  fromMs: number,
  untilMs: number,
): number[] {
  const due: number[] = [];
  const first = Math.floor(fromMs / DAY_MS) * DAY_MS + atHour * 3_600_000;
  for (let timeMs = first; timeMs < untilMs; timeMs += DAY_MS) {
    const date = new Date(timeMs);
    const isDay =
      (weekday === undefined || date.getUTCDay() === weekday) &&
      (dayOfMonth === undefined || date.getUTCDate() === dayOfMonth) &&
      (months === undefined || months.includes(date.getUTCMonth()));
    if (isDay && timeMs >= fromMs) due.push(timeMs);
  }
  return due;
}
