import { HoldfastError } from '../../foundation/errors.ts';
import type { ReplicationPositions } from '../replication.ts';
import { labelOf, parseLocation } from './location.ts';
import { Session } from './session.ts';
import { readPrimary, readStandby } from './standby.ts';

/**
 * Asks a primary and then its standby how far they are, over a connection each that ends with it.
 * @throws source-unreachable, source-refused, source-lost; source-changed where the one is no standby any more, or not of the
 *   other; plan-invalid for what is no URL; the reason of the signal
 */
export async function replicationPositions(
  urls: { standby: string; primary: string },
  signal: AbortSignal,
): Promise<ReplicationPositions> {
  const standby = await Session.open(parseLocation(urls.standby), { side: 'source', signal });
  try {
    const { isStandby, system } = await readStandby(standby);
    if (!isStandby) {
      throw new HoldfastError('source-changed', `${labelOf(standby.location)} is no standby any more`, {
        hint: 'It was promoted. Let the plan name the servers as they are now.',
      });
    }
    const primary = await Session.open(parseLocation(urls.primary), { side: 'source', signal });
    try {
      const { ms: primaryMs, lsn: primaryLsn } = await readPrimary(primary, system);
      const { replayedLsn = 0n, moments } = await readStandby(standby);
      // The other one is of a restart point, which may be long past.
      const replayedMs = moments.find(({ lsn }) => lsn > 0n)?.ms;
      return { primaryMs, primaryLsn, replayedLsn, replayedMs };
    } finally {
      await primary.close();
    }
  } finally {
    await standby.close();
  }
}
