/** Whole numbers as `0-5,7`, in order. */
export function formatRanges(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number <= last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

const RANGE = /^(\d{1,10})(?:-(\d{1,10}))?$/;

/** What ranges such as `0-5,7` hold, each from its first number to its last. What is no range is left out. */
export function parseRanges(ranges: string): [first: number, last: number][] {
  return ranges.split(',').flatMap((range) => {
    const [, first, last = first] = RANGE.exec(range) ?? [];
    return first === undefined ? [] : [[Number(first), Number(last)] as [number, number]];
  });
}

/** Whether ranges such as `0-5,7` hold a number. What is no range holds none. */
export function isInRanges(ranges: string, number: number): boolean {
  return parseRanges(ranges).some(([first, last]) => number >= first && number <= last);
}
