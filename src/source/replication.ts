/** Where a primary and its standby are, asked one after the other, the primary first. Times are those of the primary's clock. */
export interface ReplicationPositions {
  /** The primary's time, milliseconds since 1970, and how far its log went then. */
  primaryMs: number;
  primaryLsn: bigint;
  /** All of the log before it is replayed. */
  replayedLsn: bigint;
  /** When the last transaction that was replayed was committed; undefined where none was. */
  replayedMs: number | undefined;
}
