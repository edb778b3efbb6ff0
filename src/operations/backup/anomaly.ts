import { formatSize } from '../../foundation/units.ts';

/** How much a backup found, and how much of it was new. */
export interface BackupSize {
  bytesProcessed: number;
  /** New plain bytes, and what they take as they are stored. */
  bytesAdded: number;
  bytesStored?: number | undefined;
}

/** Of fewer backups before it, nothing is known of what is usual. */
export const FEWEST_BEFORE = 8;
/** So many are looked at: what was usual long ago may not be now. */
export const MOST_BEFORE = 30;

/** Below it, amounts are alike: a scale of ratios knows no small numbers. */
const FLOOR_BYTES = 64 * 1024;
/** So many times the usual spread from the median. */
const FAR = 6;
/** The least that counts as spread, as powers of two, and as a share: what never varied may begin to. */
const LEAST_SPREAD = 0.5;
const LEAST_RATIO_SPREAD = 0.03;
/** Standard deviations of a normal distribution in its median absolute deviation. */
const MAD_TO_DEVIATION = 1.4826;
/** So much beyond the largest that was seen before. */
const BEYOND = 2;

/**
 * Why a backup differs so much from those before it that somebody should look at it; undefined where it does not. Three signs:
 * far more new data than ever, new data that compresses far worse than it used to (as what was encrypted does), and far less
 * data in all. Robust against single strange backups before it: it looks at medians, on a scale of ratios. Pure.
 * @param before comparable ones, in any order
 */
export function anomalyOf(backup: BackupSize, before: readonly BackupSize[]): string | undefined {
  if (before.length < FEWEST_BEFORE) return undefined;
  return [newDataSign, compressibilitySign, lossSign]
    .map((sign) => sign(backup, before))
    .find((why) => why !== undefined);
}

function newDataSign({ bytesAdded }: BackupSize, before: readonly BackupSize[]): string | undefined {
  const added = before.map((each) => each.bytesAdded);
  const most = Math.max(...added, FLOOR_BYTES);
  if (bytesAdded <= BEYOND * most) return undefined;
  if (deviations(scaled(bytesAdded), added.map(scaled), LEAST_SPREAD) < FAR) return undefined;
  return `${formatSize(bytesAdded)} of new data, where ${formatSize(median(added))} are usual and ${formatSize(Math.max(...added))} was the most`;
}

function compressibilitySign(backup: BackupSize, before: readonly BackupSize[]): string | undefined {
  const ratio = ratioOf(backup);
  const ratios = before.flatMap((each) => ratioOf(each) ?? []);
  if (ratio === undefined || ratios.length < FEWEST_BEFORE) return undefined;
  if (ratio <= Math.max(...ratios) || deviations(ratio, ratios, LEAST_RATIO_SPREAD) < FAR) return undefined;
  return `new data (${formatSize(backup.bytesAdded)}) takes ${percent(ratio)} of its size when compressed, where ${percent(median(ratios))} is usual: encrypted data does so`;
}

function lossSign({ bytesProcessed }: BackupSize, before: readonly BackupSize[]): string | undefined {
  const processed = before.map((each) => each.bytesProcessed);
  const least = Math.min(...processed);
  if (least < FLOOR_BYTES || bytesProcessed * BEYOND >= least) return undefined;
  if (deviations(scaled(bytesProcessed), processed.map(scaled), LEAST_SPREAD / 3) > -FAR) return undefined;
  return `${formatSize(bytesProcessed)} in all, where ${formatSize(median(processed))} are usual and ${formatSize(least)} was the least`;
}

/** What new data takes of its size; undefined of so little that it says nothing. */
function ratioOf({ bytesAdded, bytesStored }: BackupSize): number | undefined {
  return bytesStored === undefined || bytesAdded < FLOOR_BYTES ? undefined : bytesStored / bytesAdded;
}

function scaled(bytes: number): number {
  return Math.log2(bytes + FLOOR_BYTES);
}

function deviations(value: number, usual: readonly number[], leastSpread: number): number {
  const middle = median(usual);
  const spread = MAD_TO_DEVIATION * median(usual.map((each) => Math.abs(each - middle)));
  return (value - middle) / Math.max(spread, leastSpread);
}

/** @param values at least one */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
