/** The one moment that all documents of a backup are of. */
import type { Clock } from '../../../foundation/clock.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import { formatDuration } from '../../../foundation/units.ts';
import type { RawTimestamp } from '../codec/values.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { millisecondsOf } from './timestamps.ts';

/** How far back Firestore reads without point-in-time recovery. */
export const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** So fast documents are expected to come where no earlier backup has measured it. */
const EXPECTED_PER_SECOND = 2_500;
/** What else a run does, and what one runs slower than the one before it. */
const MARGIN = 1.25;

export interface Moment {
  readTime: RawTimestamp;
  /** Milliseconds since 1970, by the server's clock. */
  timeMs: number;
  /** When the server does not read it any more, by the server's clock; undefined where it lasts for days. */
  expiresMs: number | undefined;
}

/**
 * With point-in-time recovery the newest whole minute, which can be read for days; without it the server's present, which
 * can be read for an hour.
 * @param now what the server took for its present when it was asked
 */
export function chooseMoment(now: RawTimestamp, facts: DatabaseFacts): Moment {
  const nowMs = millisecondsOf(now);
  const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const isKept = facts.recovery === 'enabled' && minuteMs >= (facts.earliestVersionMs ?? Number.POSITIVE_INFINITY);
  if (!isKept) return { readTime: now, timeMs: nowMs, expiresMs: nowMs + HOUR_MS };
  return { readTime: { seconds: `${minuteMs / 1000}`, nanos: 0 }, timeMs: minuteMs, expiresMs: undefined };
}

/** How long it will take to read so many documents. @param perSecond as the last backup measured it */
export function expectedMs(documents: number, perSecond: number | undefined): number {
  return (documents / (perSecond ?? EXPECTED_PER_SECOND)) * 1000 * MARGIN;
}

/** @throws source-refused where reading would last longer than the moment can be read */
export function refuseTooLong(moment: Moment, durationMs: number, { project, database }: DatabaseName): void {
  if (moment.expiresMs === undefined || durationMs <= moment.expiresMs - moment.timeMs) return;
  const lasting = formatDuration(durationMs);
  throw new HoldfastError(
    'source-refused',
    `reading ${database} would take about ${lasting}, and without point-in-time recovery Firestore keeps a moment for one hour`,
    { hint: enableRecovery({ project, database }), context: { project, database } },
  );
}

/** What a moment that cannot be read any more is: the run lasted too long. */
export function outlasted(moment: Moment, clock: Clock, name: DatabaseName, cause?: unknown): HoldfastError {
  const lastedMs = clock.nowMs() - moment.timeMs;
  return new HoldfastError(
    'source-lost',
    `Firestore does not keep the moment of this backup any more, after ${formatDuration(Math.max(0, lastedMs))}: nothing was stored`,
    { hint: enableRecovery(name), context: { ...name }, cause },
  );
}

interface DatabaseName {
  project: string;
  database: string;
}

/** A sentence with the command that has every minute of seven days kept. */
export function enableRecovery({ project, database }: DatabaseName): string {
  return `Have every minute of seven days kept: ${enableRecoveryCommand({ project, database })}`;
}

export function enableRecoveryCommand({ project, database }: DatabaseName): string {
  return `gcloud firestore databases update --project='${project}' --database='${database}' --enable-pitr`;
}
