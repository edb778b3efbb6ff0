/**
 * What a plan promises of a year, computed in the plainest way there is and without any code of the product, so that an
 * error there is not repeated here. Times are milliseconds since 1970; hours, days, weeks and months are those of a time zone
 * whose offset is of whole hours.
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

/** When something is due. Every hour when `at` is left out; else at that time of the days that fit all that is given. */
export interface PromisedMoments {
  /** `05:00`; a time that a day does not have is due when the next one comes that it has. */
  at?: string;
  /** 0 is Sunday. */
  weekday?: number;
  dayOfMonth?: number;
  /** 0 is January. */
  months?: readonly number[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The clocks of a time zone. */
export class WallClock {
  readonly #format: Intl.DateTimeFormat;
  /** By the hour. */
  readonly #offsets = new Map<number, number>();

  constructor(timezone: string) {
    this.#format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
  }

  /** What they show at a moment, counted as if it were UTC. */
  shownMs(timeMs: number): number {
    const hour = Math.floor(timeMs / HOUR_MS);
    const offsetMs = this.#offsets.get(hour) ?? this.#offsetAt(hour * HOUR_MS);
    this.#offsets.set(hour, offsetMs);
    return timeMs + offsetMs;
  }

  #offsetAt(timeMs: number): number {
    const [, sign, hours = '0'] = /GMT([+-])(\d+)/.exec(this.#format.format(timeMs)) ?? [];
    return Number(hours) * HOUR_MS * (sign === '-' ? -1 : 1);
  }
}

type PeriodName = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';

/** The name of the hour, day, week (by its Monday), month or year that a moment lies in. An hour that comes twice is two. */
function periodOf(name: PeriodName, timeMs: number, clock: WallClock): string {
  const shownMs = clock.shownMs(timeMs);
  const shown = new Date(shownMs);
  switch (name) {
    case 'hourly':
      return new Date(timeMs).toISOString().slice(0, 13);
    case 'daily':
      return shown.toISOString().slice(0, 10);
    case 'weekly':
      return new Date(shownMs - ((shown.getUTCDay() + 6) % 7) * DAY_MS).toISOString().slice(0, 10);
    case 'monthly':
      return shown.toISOString().slice(0, 7);
    case 'yearly':
      return shown.toISOString().slice(0, 4);
  }
}

/** Of all backups that were ever taken, those that must be there now; no other may be. */
export function promised(takenMs: readonly number[], retention: PromisedRetention, clock: WallClock): Set<number> {
  const kept = new Set<number>();
  if (takenMs.length === 0) return kept;
  const { withinDays, ...counts } = retention;
  for (const [name, count] of Object.entries(counts) as [PeriodName, number | 'forever'][]) {
    const newestOf = new Map<string, number>();
    for (const timeMs of takenMs) {
      const period = periodOf(name, timeMs, clock);
      newestOf.set(period, Math.max(timeMs, newestOf.get(period) ?? 0));
    }
    const newestFirst = [...newestOf.values()].sort((one, other) => other - one);
    for (const timeMs of count === 'forever' ? newestFirst : newestFirst.slice(0, count)) kept.add(timeMs);
    // As restic has it: as long as there are fewer periods than are to be kept, the oldest of all stays.
    if (count === 'forever' || newestFirst.length < count) kept.add(Math.min(...takenMs));
  }
  if (withinDays !== undefined) {
    const newestMs = Math.max(...takenMs);
    for (const timeMs of takenMs) if (newestMs - timeMs < withinDays * DAY_MS) kept.add(timeMs);
  }
  return kept;
}

/** Every moment from one on and before another at which it was due. */
export function dueMoments(moments: PromisedMoments, fromMs: number, untilMs: number, clock: WallClock): number[] {
  const due: number[] = [];
  let newestMs = Number.NEGATIVE_INFINITY;
  const stepMs = HOUR_MS / 2;
  for (let timeMs = Math.ceil(fromMs / stepMs) * stepMs; timeMs < untilMs; timeMs += stepMs) {
    if (moments.at === undefined) {
      if (timeMs % HOUR_MS === 0) due.push(timeMs);
      continue;
    }
    // A time of day that the clocks pass over comes when they have; one that they show twice came the first time.
    const shownMs = clock.shownMs(timeMs);
    const [hours, minutes] = moments.at.split(':').map(Number) as [number, number];
    const wantedMs = Math.floor(shownMs / DAY_MS) * DAY_MS + hours * HOUR_MS + minutes * 60_000;
    const isNow = wantedMs <= shownMs && wantedMs > clock.shownMs(timeMs - stepMs);
    if (!isNow || wantedMs <= newestMs) continue;
    newestMs = wantedMs;
    if (isOn(moments, new Date(wantedMs))) due.push(timeMs);
  }
  return due;
}

function isOn({ weekday, dayOfMonth, months }: PromisedMoments, day: Date): boolean {
  return (
    (weekday === undefined || day.getUTCDay() === weekday) &&
    (dayOfMonth === undefined || day.getUTCDate() === dayOfMonth) &&
    (months === undefined || months.includes(day.getUTCMonth()))
  );
}
