import { formatPercentage, formatSize } from '../../../foundation/units.ts';
import type { Rule } from '../../../plan/index.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { SizedPoint, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

const HOUR_MS = 3_600_000;
/** So many recovery points before the newest are what is usual. */
const USUAL_POINTS = 7;

/**
 * The newest recovery point is smaller, before anything is deduplicated, than the median of the last seven before it; or a
 * table or collection of it is. What is gone is named as gone: for as long as it was there usually, and what the plan names
 * for as long as it is not there.
 */
export const sizeDrop: AlertRule = {
  basis: 'sources',
  find: ({ sources }, rule) => sources.flatMap((each) => drop(each, rule)),
  example(plan, { overShare = 0.2 }, nowMs) {
    const sizes = [
      ...Array.from({ length: USUAL_POINTS }, () => 1_000_000_000),
      1_000_000_000 * (1 - overShare) * 0.75,
    ];
    const points = sizes.map((bytes, index) => ({
      ...{ snapshot: '00000000', timeMs: nowMs - (USUAL_POINTS - index) * HOUR_MS, bytes },
    }));
    return exampleFacts(plan, nowMs, { sources: [exampleSource(plan, { points })] });
  },
};

function drop({ source, points }: SourceFacts, { overShare }: Rule): Found[] {
  const newest = points.at(-1);
  if (newest === undefined) return [];
  const usual = points.slice(0, -1).slice(-USUAL_POINTS);
  const named = source.type === 'firestore' ? (source.collections ?? []) : [];
  const losses = [
    ...totalLoss(source.name, newest, usual, overShare!),
    ...itemLosses(newest, usual, overShare!, named),
  ];
  if (losses.length === 0) return [];
  return [
    {
      subject: source.name,
      message: `the backup of ${source.name} of ${moment(newest.timeMs)} has lost something: ${losses.join('; ')}`,
      sinceMs: newest.timeMs,
      endangers: `what vanished from ${source.name}: it is only in older recovery points, which the retention removes in time`,
      command: `holdfast history ${source.name}`,
    },
  ];
}

function totalLoss(name: string, newest: SizedPoint, usual: readonly SizedPoint[], over: number): string[] {
  const before = median(usual.flatMap(({ bytes }) => bytes ?? []));
  if (before === undefined || newest.bytes === undefined || newest.bytes >= before * (1 - over)) return [];
  return [
    `${name} has ${formatSize(newest.bytes)}, ${less(newest.bytes, before)} than the usual ${formatSize(before)}`,
  ];
}

function itemLosses(
  newest: SizedPoint,
  usual: readonly SizedPoint[],
  over: number,
  named: readonly string[],
): string[] {
  if (newest.items === undefined) return [];
  const now = new Map(newest.items.map((each) => [each.item, each]));
  const known = usual.flatMap(({ items }) =>
    items === undefined ? [] : [new Map(items.map((each) => [each.item, each]))],
  );
  const names = new Set([...named, ...known.flatMap((each) => [...each.keys()])]);
  return [...names].flatMap((name): string[] => {
    const found = now.get(name);
    const before = known.flatMap((each) => each.get(name) ?? []);
    // What came and went is not usual.
    const isUsual = before.length * 2 > known.length;
    if (found === undefined) return named.includes(name) || isUsual ? [`${name} is gone`] : [];
    const rows = median(before.map(({ count }) => count));
    if (isUsual && rows !== undefined && found.count < rows * (1 - over)) {
      return [`${name} has ${found.count} ${found.unit}, ${less(found.count, rows)} than the usual ${rows}`];
    }
    const bytes = median(before.flatMap((each) => each.bytes ?? []));
    if (!isUsual || bytes === undefined || found.bytes === undefined || found.bytes >= bytes * (1 - over)) return [];
    return [`${name} has ${formatSize(found.bytes)}, ${less(found.bytes, bytes)} than the usual ${formatSize(bytes)}`];
  });
}

function less(now: number, before: number): string {
  return `${formatPercentage(1 - now / before)} less`;
}

/** The middle one; of an even number the lower of the two in the middle, so that it is one that there was. */
function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length / 2) - 1];
}
