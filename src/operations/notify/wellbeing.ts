import { formatDuration } from '../../foundation/units.ts';
import type { Severity } from '../../plan/index.ts';

/** Whoever looks for what is wrong looks every quarter of a minute: not for so long, and nobody knows what is. */
const LOOK_OVERDUE_MS = 5 * 60_000;

/** What was found when somebody looked for what is wrong. */
export interface Wellbeing {
  /** When that was, in milliseconds since 1970. */
  lookedMs: number;
  open: readonly OpenAlert[];
}

export interface OpenAlert {
  rule: string;
  subject: string;
  severity: Severity;
  /** Somebody sees to it, or said that nobody is to be told for now. */
  isSeenTo: boolean;
  /** Channels were to be told of it, and not one has taken it. */
  isUntold: boolean;
}

/**
 * Why a watch outside is not to hear that all is well; it alarms by itself then, on a way of its own. No reason: all is well.
 * An alert that somebody sees to is none: it is in good hands. Nor is one below p1, as long as somebody was told. Pure.
 * @param seen undefined where nobody has looked yet
 */
export function reasonsForSilence(seen: Wellbeing | undefined, nowMs: number): string[] {
  if (seen === undefined) return ['nobody has looked yet for what is wrong'];
  const agoMs = nowMs - seen.lookedMs;
  const overdue = agoMs > LOOK_OVERDUE_MS ? [`nobody has looked for what is wrong for ${formatDuration(agoMs)}`] : [];
  const alerts = seen.open.flatMap(({ rule, subject, severity, isSeenTo, isUntold }) => {
    if (isSeenTo) return [];
    if (isUntold) return [`nobody could be told of ${rule} of ${subject}`];
    return severity === 'p1' ? [`${rule} of ${subject} is open, and nobody has acknowledged it`] : [];
  });
  return [...overdue, ...alerts];
}
