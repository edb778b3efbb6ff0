/** What is known of a source's log behind its newest backup that it continues. */
interface KnownLog {
  /** That backup's snapshot. */
  from?: string;
  /** How far the log goes (RFC 3339). */
  time?: string;
  gaps: readonly { start: string; end: string }[];
}

/** Whether the log goes on from a snapshot, in words. Pure. */
export function logBehindText(source: string, { from, time, gaps }: KnownLog, snapshot: string | undefined): string {
  const [gap] = gaps;
  if (from === undefined || from !== snapshot) {
    return `nothing of the log of ${source} behind it is stored yet: \`holdfast serve\`, or \`holdfast follow ${source}\`, captures it`;
  }
  if (gap !== undefined) {
    return `the log of ${source} behind it has a gap from ${gap.start} to ${gap.end}: \`holdfast backup ${source}\` begins behind that`;
  }
  return `the log of ${source} goes on from there without a gap${time === undefined ? '' : `, until ${time}`}`;
}
