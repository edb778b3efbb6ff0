import type { ReplicationPositions } from '../../source/index.ts';

const MOST_KNOWN = 1500;

/**
 * How far a standby is behind in time. The last transaction that was replayed says too much where nothing was written for long
 * before what it lacks; so that the primary's positions are remembered: what it had at a look that the standby has by now is
 * not behind.
 */
export class StandbyLag {
  #known: { ms: number; lsn: bigint }[] = [];

  /** @returns how far it is behind, in milliseconds at most, and in bytes; 0 where it has all that its primary had */
  measure({ primaryMs, primaryLsn, replayedLsn, replayedMs }: ReplicationPositions): {
    lagMs: number;
    lagBytes: bigint;
  } {
    this.#known = [...this.#known.filter(({ ms }) => ms < primaryMs), { ms: primaryMs, lsn: primaryLsn }].slice(
      -MOST_KNOWN,
    );
    if (replayedLsn >= primaryLsn) return { lagMs: 0, lagBytes: 0n };
    const reached = this.#known.findLast(({ lsn }) => lsn <= replayedLsn);
    const moments = [reached?.ms, replayedMs].filter((ms) => ms !== undefined);
    // Nothing is known of what it has: it is behind by all of the time that anybody looked, and by more.
    const sinceMs = moments.length > 0 ? Math.max(...moments) : this.#known[0]!.ms;
    return { lagMs: Math.max(0, primaryMs - sinceMs), lagBytes: primaryLsn - replayedLsn };
  }
}
