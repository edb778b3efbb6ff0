import { isHoldfastError } from '../../../foundation/errors.ts';
import { type LogPosition, lsnText } from '../../../repository/index.ts';
import type { Location } from '../location.ts';
import { Session } from '../session.ts';
import { type KnownMoment, readPrimary, readStandby } from '../standby.ts';

/** What is known of a standby before its backup begins. */
export interface StandbyStart {
  /** What was seen in its databases is in the log before it. */
  seenLsn: LogPosition['lsn'] | undefined;
  moments: KnownMoment[];
  warnings: string[];
}

/**
 * Looks how far a standby is, and its primary where the plan says where that is. A backup of a standby holds what the standby
 * had replayed when it flushed its pages, which may be older than the moment at which the backup is taken.
 * @param session an ordinary connection to the standby
 */
export async function lookAtStandby(
  session: Session,
  primary: Location | undefined,
  signal: AbortSignal,
): Promise<StandbyStart> {
  const { replayedLsn, moments, system } = await readStandby(session);
  if (primary === undefined) return { seenLsn: replayedLsn, moments, warnings: [] };
  try {
    const asked = await Session.open(primary, { side: 'source', signal });
    try {
      return { seenLsn: replayedLsn, moments: [await readPrimary(asked, system), ...moments], warnings: [] };
    } finally {
      await asked.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    const warning = `Holdfast could not ask the primary, so that the backup counts as of the last commit that the standby had: ${error.message}`;
    return { seenLsn: replayedLsn, moments, warnings: [warning] };
  }
}

/** The moment, by the primary's clock, of which everything that was committed by then is in a backup that ends there. */
export function momentWithin({ moments }: StandbyStart, stopLsn: bigint): number {
  return Math.max(...moments.filter(({ lsn }) => lsn <= stopLsn).map(({ ms }) => ms));
}

/** Why what was seen before a backup need not be in it; undefined where it must be. */
export function behindWhatWasSeen({ seenLsn }: StandbyStart, stopLsn: bigint): string | undefined {
  if (seenLsn !== undefined && seenLsn <= stopLsn) return undefined;
  return `The backup ends at ${lsnText(stopLsn)}, before what the standby had replayed: tables by name are not held against it`;
}
