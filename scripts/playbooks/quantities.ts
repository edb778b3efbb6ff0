/** The numbers of a text with their units, so that "2.5 hours" and `2h30m` are the same. Pure. */

/** What a number says: seconds, a share, a time of the day in minutes, or the bare number where it has no unit. */
export interface Quantity {
  value: number;
  unit: 's' | '%' | 'clock' | '';
  written: string;
}

const SECONDS: Readonly<Record<string, number>> = {
  ...{ s: 1, sec: 1, second: 1, m: 60, min: 60, minute: 60, h: 3600, hour: 3600 },
  ...{
    d: 86_400,
    day: 86_400,
    w: 604_800,
    week: 604_800,
    mo: 2_592_000,
    month: 2_592_000,
    y: 31_536_000,
    year: 31_536_000,
  },
};

/** `2h30m` · `2 h 30 min` · `2:00 AM` · `0-30 min` · `60+ min` · `72-hour` · `P1` · `>20%` · `~2.5 hours` */
const NUMBER =
  /(\d{1,2}):(\d{2})(?:\s*(AM|PM)\b)?|(\d+) ?h ?(\d+) ?m(?:in)?\b|(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?\+?(?:[ -])?(%|[a-zA-Z]+)?/gi;

export function quantitiesIn(text: string): Quantity[] {
  return [...text.matchAll(NUMBER)].flatMap((match): Quantity[] => {
    const [written, hour, minute, half, hours, minutes, first, second, word = ''] = match;
    if (hour !== undefined) return [{ value: minuteOfDay(Number(hour), Number(minute), half), unit: 'clock', written }];
    if (hours !== undefined) return [{ value: Number(hours) * 3600 + Number(minutes) * 60, unit: 's', written }];
    return [first, second].flatMap((each) => (each === undefined ? [] : [quantity(Number(each), word, written)]));
  });
}

function minuteOfDay(hour: number, minute: number, half: string | undefined): number {
  const base = half === undefined ? hour : hour % 12;
  return (base + (half?.toUpperCase() === 'PM' ? 12 : 0)) * 60 + minute;
}

function quantity(value: number, word: string, written: string): Quantity {
  if (word === '%') return { value, unit: '%', written };
  const seconds = SECONDS[word] ?? SECONDS[word.toLowerCase().replace(/s$/, '')];
  return seconds === undefined ? { value, unit: '', written } : { value: value * seconds, unit: 's', written };
}

/** Whether one of them says the same. */
export function isSaidBy({ value, unit }: Quantity, said: readonly Quantity[]): boolean {
  return said.some((each) => each.unit === unit && each.value === value);
}
