import { isHoldfastError } from '../../../foundation/errors.ts';
import type { Divergence } from '../../failover.ts';
import type { Session } from '../session.ts';
import { WalRecords } from '../wal/records.ts';
import { segmentStart } from '../wal/segments.ts';
import { readState } from './server-state.ts';
import { openInside } from './way-in.ts';

const UNDEFINED_FILE = '58P01';

/** See `PostgresFailover.divergence`. */
export async function divergence(url: string, forkLsn: bigint, signal: AbortSignal): Promise<Divergence> {
  const session = await openInside(url, signal);
  try {
    const { lsn: end } = await readState(session);
    if (end <= forkLsn) return { bytes: 0n, transactions: 0 };
    const transactions = await commitsBetween(session, forkLsn, end);
    return { bytes: end - forkLsn, ...(transactions !== undefined && { transactions }) };
  } finally {
    await session.close();
  }
}

/** Read from the server's own files of the log; undefined where they are gone. */
async function commitsBetween(session: Session, start: bigint, end: bigint): Promise<number | undefined> {
  const row = await session.one(
    'ask how large a segment is',
    `SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size'`,
  );
  const segmentBytes = Number(row['setting']);
  let commits = 0;
  const records = new WalRecords((record) => {
    const isCommit = record.kind === 'transaction-end' && record.isCommit;
    if (isCommit && record.lsn >= start && record.lsn < end) commits++;
  });
  for (let at = segmentStart(start, segmentBytes); at < end; at += BigInt(segmentBytes)) {
    const bytes = await readSegment(session, at);
    if (bytes === undefined) return undefined;
    // Behind its end there may be what an earlier segment, that the file was taken from, had there.
    records.take(at, Buffer.from(bytes, 'hex').fill(0, Number(end - at)));
  }
  return commits;
}

async function readSegment(session: Session, lsn: bigint): Promise<string | undefined> {
  const sql = `SELECT pg_catalog.encode(pg_catalog.pg_read_binary_file(
    'pg_wal/' || pg_catalog.pg_walfile_name('0/0'::pg_lsn + $1::numeric + 1)), 'hex') AS bytes`;
  try {
    return (await session.one('read the log behind the promotion', sql, [lsn.toString()]))['bytes'] ?? undefined;
  } catch (error) {
    if (isHoldfastError(error) && error.context['sqlState'] === UNDEFINED_FILE) return undefined;
    throw error;
  }
}
