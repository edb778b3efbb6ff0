/** What was kept by month and by quarter, for people. Pure. */
import { formatDuration, formatPercentage } from '../../foundation/units.ts';
import { type Block, paragraph, table } from '../../report/index.ts';
import type { PeriodFigures, SourceInPeriod } from '../objectives/by-period.ts';
import type { AttemptCounts } from '../objectives/success.ts';

/** @param level of the headings */
export function metricsBlocks(
  months: readonly PeriodFigures[],
  quarters: readonly PeriodFigures[],
  level: 2 | 3,
): Block[] {
  return [...periodsBlocks('By month', months, level), ...periodsBlocks('By quarter', quarters, level)];
}

const COLUMNS = [
  'Period',
  'Source',
  'RPO',
  'Promised',
  'Proven',
  'Promised',
  'RTO',
  'Promised',
  'Backups',
  'Restores',
  'Proofs',
];

function periodsBlocks(text: string, periods: readonly PeriodFigures[], level: 2 | 3): Block[] {
  const newestFirst = periods.toReversed();
  const rows = newestFirst.flatMap((each) => each.sources.map((source) => [nameOf(each), ...sourceCells(source)]));
  const heading: Block = { kind: 'heading', text, level };
  if (rows.length === 0) return [heading, paragraph('Nothing is known of it.')];
  return [
    heading,
    ...table(COLUMNS, rows),
    ...table(
      ['Period', 'MTTR: recoveries', 'P1 alerts resolved after', 'Restores took'],
      newestFirst.map((each) => [nameOf(each), ...repairCells(each)]),
    ),
  ];
}

function nameOf({ period, isOver }: PeriodFigures): string {
  return isOver ? period : `${period}, so far`;
}

function sourceCells({ source, rpo, proof, rto, success }: SourceInPeriod): string[] {
  return [
    source,
    ...keptCells(rpo.maxMs, rpo.promisedMs, rpo.breachMs),
    ...keptCells(proof.maxMs, proof.promisedMs, proof.breachMs),
    ...keptCells(rto.maxMs, rto.promisedMs),
    ...[success.backup, success.restore, success.verify].map(rateWords),
  ];
}

/** The worst of the period beside what is promised. */
function keptCells(maxMs: number | undefined, promisedMs: number | undefined, breachMs = 0): [string, string] {
  const promised = promisedMs === undefined ? '–' : formatDuration(promisedMs);
  const isMissed = breachMs > 0 || (promisedMs !== undefined && maxMs !== undefined && maxMs > promisedMs);
  const late = breachMs > 0 ? ` for ${formatDuration(breachMs)}` : '';
  if (maxMs === undefined) return [isMissed ? `none, MISSED${late}` : 'none', promised];
  return [`${formatDuration(maxMs)}${isMissed ? `, MISSED${late}` : ''}`, promised];
}

/** Rounded down, so that nothing but all of them is 100%. */
function rateWords({ rate, succeeded, partial, failed, missed }: AttemptCounts): string {
  if (rate === undefined) return 'none';
  return `${formatPercentage(Math.floor(rate * 1000) / 1000)} of ${succeeded + partial + failed + missed}`;
}

function repairCells({ repairs }: PeriodFigures): string[] {
  return (['recoveries', 'alerts', 'restores'] as const).map((kind) => {
    const { count, meanMs } = repairs[kind];
    return count === 0 ? 'none' : `${formatDuration(meanMs!)} on average (${count})`;
  });
}
