/** How a playbook says things. Pure. */
import type { CalendarDuration } from '../../foundation/units.ts';
import { formatDuration } from '../../foundation/units.ts';
import { withoutPassword } from '../../foundation/url-password.ts';
import { describeReference, type TextOrReference } from '../../plan/index.ts';
import type { KeepCount, RetentionPolicy } from '../../schedule/index.ts';

/** `2026-03-02` */
export function day(at: string): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** `2026-03-02 14:03 UTC` */
export function minute(at: string): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Where something is, or which variable says so: what a reference stands for may be secret. */
export function placeWords(place: TextOrReference): string {
  return typeof place === 'string' ? withoutPassword(place) : `named by ${describeReference(place)}`;
}

/** Behind a preposition: what a reference stands for is called by its noun. */
export function nounWords(noun: string, place: TextOrReference): string {
  return typeof place === 'string' ? placeWords(place) : `the ${noun} ${placeWords(place)}`;
}

/** Behind a noun: `at /srv/a, /srv/b`, or what says where. */
export function atPlaces(places: readonly TextOrReference[]): string {
  const literal = places.filter((place) => typeof place === 'string').map(placeWords);
  const named = places.filter((place) => typeof place !== 'string').map(placeWords);
  return [...(literal.length === 0 ? [] : [`at ${literal.join(', ')}`]), ...named].join(' and ');
}

/** Of an address that may hold a key, the host alone. Behind a preposition. */
export function hostWords(url: TextOrReference): string {
  if (typeof url !== 'string') return nounWords('address', url);
  return URL.canParse(url) ? new URL(url).host : 'an address';
}

const COUNTED = [
  ['minutely', 'minute'],
  ['hourly', 'hour'],
  ['daily', 'day'],
  ['weekly', 'week'],
  ['monthly', 'month'],
  ['yearly', 'year'],
] as const;

const WITHIN = [
  ['withinMinutely', 'minute'],
  ['withinHourly', 'hour'],
  ['withinDaily', 'day'],
  ['withinWeekly', 'week'],
  ['withinMonthly', 'month'],
  ['withinYearly', 'year'],
] as const;

/** How long backups stay, a sentence for each rule. @param isLogged whether a log leads from one to the next */
export function retentionWords(policy: RetentionPolicy | undefined, isLogged = false): string[] {
  if (policy === undefined) return ['all of them, without end'];
  const { last, within } = policy;
  return [
    ...(within === undefined ? [] : [`${isLogged ? 'any moment' : 'every one'} of the last ${spanWords(within)}`]),
    ...(last === undefined || last === 0 ? [] : [last === 'forever' ? 'all of them' : `the newest ${last}`]),
    ...COUNTED.flatMap(([rule, unit]) => countWords(policy[rule], unit)),
    ...WITHIN.flatMap(([rule, unit]) => {
      const span = policy[rule];
      return span === undefined ? [] : [`one of each ${unit} for ${spanWords(span)}`];
    }),
    ...(policy.tags === undefined ? [] : [`those with the tags ${policy.tags.join(', ')}`]),
  ];
}

function countWords(count: KeepCount | undefined, unit: string): string[] {
  if (count === undefined || count === 0) return [];
  return [`one of each ${unit} ${count === 'forever' ? 'without end' : `for ${counted(count, unit)}`}`];
}

function spanWords({ months, ms }: CalendarDuration): string {
  const years = months % 12 === 0 ? months / 12 : 0;
  const parts = [
    ...(months === 0 ? [] : [years > 0 ? counted(years, 'year') : counted(months, 'month')]),
    ...(ms === 0 ? [] : [ms % DAY_MS === 0 ? counted(ms / DAY_MS, 'day') : formatDuration(ms)]),
  ];
  return parts.length === 0 ? '0 days' : parts.join(' and ');
}

const DAY_MS = 24 * 3_600_000;

export function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
