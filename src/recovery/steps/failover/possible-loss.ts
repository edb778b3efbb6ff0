/** What a promotion would lose. Pure. Times are of the primary's clock, in milliseconds since 1970. */
import { formatDuration, formatSize } from '../../../foundation/units.ts';
import { later } from '../../../repository/index.ts';

export interface KnownEnd {
  /** The primary's log goes at least as far. */
  lsn: bigint;
  /** All that was committed by then lies before it. */
  ms?: number;
  /** The primary takes no more writes: it goes no further. */
  isFinal: boolean;
}

export interface StandbyEnd {
  lsn: bigint;
  /** When the last transaction that it has was committed. */
  replayedMs?: number;
}

export interface PossibleLoss {
  /** Of the primary's log: at least so many, or just so many where it is known how far that went. */
  bytes: bigint;
  /** Commits of so long before now may be lost, at most; undefined where nothing is known of what the standby has. */
  ms?: number;
  /** Nothing is guessed. */
  isExact: boolean;
}

/** @param primary what is known of the primary's end, from whatever tells something of it */
export function possibleLoss(standby: StandbyEnd, primary: readonly KnownEnd[], nowMs: number): PossibleLoss {
  const furthest = primary.map(({ lsn }) => lsn).reduce(later, 0n);
  const bytes = furthest > standby.lsn ? furthest - standby.lsn : 0n;
  const isExact = primary.some(({ isFinal }) => isFinal);
  if (isExact && bytes === 0n) return { bytes, ms: 0, isExact };
  // What was all there at a moment, and has come to the standby since, is not lost.
  const reached = primary.flatMap(({ lsn, ms }) => (ms !== undefined && lsn <= standby.lsn ? [ms] : []));
  const moments = [...reached, ...(standby.replayedMs === undefined ? [] : [standby.replayedMs])];
  return moments.length === 0 ? { bytes, isExact } : { bytes, ms: Math.max(0, nowMs - Math.max(...moments)), isExact };
}

/** `at most 4 m 3 s of commits, 12 KiB of the log` */
export function lossInWords({ bytes, ms, isExact }: PossibleLoss): string {
  if (isExact && bytes === 0n) return 'nothing';
  const time = ms === undefined ? 'an unknown time of commits' : `at most ${formatDuration(ms)} of commits`;
  const log = isExact || bytes > 0n ? `, ${isExact ? '' : 'at least '}${formatSize(Number(bytes))} of the log` : '';
  return `${time}${log}`;
}
