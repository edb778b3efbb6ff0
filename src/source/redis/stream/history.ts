import type { HistoryFile } from '../../../repository/index.ts';

/**
 * What stands for a history of a server's data where logs are told apart by a number of 64 bits: the first half of its
 * replication id.
 */
export function systemOf(replicationId: string): string {
  return BigInt(`0x${replicationId.slice(0, 16)}`).toString();
}

/** Says which history a timeline of the log is: a line of its number, the replication id, and where it begins. */
export function historyFile(timeline: number, replicationId: string, begin: bigint): HistoryFile {
  const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const bytes = Buffer.from(`${timeline}\t${replicationId}\t${begin}\n`);
  return { name, bytes, named: { alias: systemOf(replicationId), begin } };
}
