import type { KeptPromise } from '../promises/index.ts';
import { day } from '../words.ts';

/** What stands beside a promise in every table. */
export const SHOWN_COLUMNS = ['Measured', 'Last shown'];

/** What was measured of a promise, and when it was last shown: what never was says so. */
export function shownCells(promise: KeptPromise | undefined): [measured: string, lastShown: string] {
  if (promise === undefined) return ['–', '–'];
  const { state, measured, shownAt } = promise;
  if (state === 'unknown') return ['unknown', 'unknown'];
  if (state === 'never-shown') return [measured ?? '–', 'never shown'];
  return [`${state === 'missed' ? 'MISSED: ' : ''}${measured ?? ''}`, shownAt === undefined ? '–' : day(shownAt)];
}
