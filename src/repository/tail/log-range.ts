import { HoldfastError } from '../../foundation/errors.ts';

/** A position in a database's write-ahead log: a byte of one of its timelines. */
export interface LogPosition {
  timeline: number;
  lsn: bigint;
}

/** A contiguous part of one timeline of a log; `end` is the first byte that is not in it. */
export interface LogRange {
  timeline: number;
  start: bigint;
  end: bigint;
}

/** As the server writes it: `16/B374D848`. */
export function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** @param text as the server writes it. @throws source-unsupported when it is none */
export function parseLsnText(text: string | null | undefined): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text ?? '');
  if (match !== null) return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
  throw new HoldfastError('source-unsupported', 'the server named a position in its log that is none');
}

/** What these ranges cover together, by timeline and position: those that touch or overlap are one. */
export function mergeRanges(ranges: readonly LogRange[]): LogRange[] {
  const merged: LogRange[] = [];
  for (const range of ranges.toSorted(compareRanges)) {
    const last = merged.at(-1);
    if (last === undefined || last.timeline !== range.timeline || last.end < range.start) merged.push({ ...range });
    else if (range.end > last.end) last.end = range.end;
  }
  return merged;
}

/** Whether all of `part` is in one of the ranges. */
export function isCovered(part: LogRange, ranges: readonly LogRange[]): boolean {
  return mergeRanges(ranges).some(
    ({ timeline, start, end }) => timeline === part.timeline && start <= part.start && part.end <= end,
  );
}

/** The position that comes first. */
export function earlier(a: bigint, b: bigint): bigint {
  return b < a ? b : a;
}

/** The position that comes last. */
export function later(a: bigint, b: bigint): bigint {
  return b > a ? b : a;
}

export function compareRanges(a: LogRange, b: LogRange): number {
  return a.timeline - b.timeline || Number(a.start > b.start) - Number(a.start < b.start);
}
