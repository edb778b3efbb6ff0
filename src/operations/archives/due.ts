import type { EventBodies, LedgerEvent } from '../../ledger/index.ts';
import type { Archive } from '../../plan/index.ts';
import { longestGapMs, nextDue } from '../../schedule/index.ts';

/** A copy may take so much of the schedule's longest gap, and no more than a day, before it is overdue. */
const GRACE_SHARE = 0.1;
const LONGEST_GRACE_MS = 24 * 60 * 60_000;

export interface ArchiveDue {
  /** Milliseconds since 1970; undefined without a schedule. In the past when a copy is due now, `-Infinity` before the first. */
  dueMs: number | undefined;
  /** Whether it should be there by now. */
  isOverdue: boolean;
}

/** What a run copied of a source, or found there already. */
export type ArchivedEvent = EventBodies['archive.finished']['sources'][number] & {
  /** When its run began, and ended (RFC 3339). */
  beganMs: number;
  endedAt: string;
};

/** The last run that brought a source to an archive. @param events of the archive's ledger, oldest first */
export function lastArchived(
  archive: string,
  source: string,
  events: readonly LedgerEvent[],
): ArchivedEvent | undefined {
  for (const event of events.toReversed()) {
    if (event.kind !== 'archive.finished' || event.body.archive !== archive) continue;
    const done = event.body.sources.find((each) => each.source === source);
    if (done === undefined) continue;
    return { ...done, beganMs: Date.parse(event.body.began), endedAt: event.time };
  }
  return undefined;
}

/**
 * When a source's next copy is due. Pure. A run counts from when it began, so that one which takes long, or is late, puts
 * off none.
 */
export function archiveDue(
  { schedule }: Archive,
  last: Pick<ArchivedEvent, 'beganMs'> | undefined,
  { nowMs, timezone }: { nowMs: number; timezone: string },
): ArchiveDue {
  if (schedule === undefined) return { dueMs: undefined, isOverdue: false };
  const dueMs = last === undefined ? Number.NEGATIVE_INFINITY : nextDue(schedule, last.beganMs, timezone);
  const graceMs = Math.min(LONGEST_GRACE_MS, GRACE_SHARE * (longestGapMs(schedule, timezone) ?? 0));
  return { dueMs, isOverdue: dueMs !== undefined && dueMs + graceMs <= nowMs };
}
