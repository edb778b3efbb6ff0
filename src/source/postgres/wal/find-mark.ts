import { HoldfastError } from '../../../foundation/errors.ts';
import type { LogPosition } from '../../../repository/index.ts';
import type { LogMark, SearchedLog } from '../../log.ts';
import { type WalRecord, WalRecords } from './records.ts';
import { segmentStart } from './segments.ts';
import { parseHistory } from './timeline-history.ts';

/** A part of a timeline that a recovery goes through. */
interface Leg {
  timeline: number;
  start: bigint;
  end: bigint;
}

/** See `LogSource.findMark`. */
export async function findMark(mark: LogMark, log: SearchedLog): Promise<LogPosition | undefined> {
  const size = BigInt(log.segmentBytes);
  for (const { timeline, start, end } of await legsOf(log)) {
    if (start >= end) continue;
    let found: bigint | undefined;
    const records = new WalRecords((record) => {
      if (record.lsn >= start && record.lsn < end && isMark(record, mark)) found ??= record.lsn;
    });
    for (let at = segmentStart(start, log.segmentBytes); at < end; at += size) {
      log.signal.throwIfAborted();
      records.take(at, await log.readSegment(timeline, at));
      if (found !== undefined) return { timeline, lsn: found };
    }
  }
  return undefined;
}

/** Each timeline up to where it was left for the next one: what a server wrote there after that, no recovery sees. */
async function legsOf({ from, end, readHistory }: SearchedLog): Promise<Leg[]> {
  if (from.timeline === end.timeline) return [{ timeline: end.timeline, start: from.lsn, end: end.lsn }];
  const history = await readHistory(end.timeline);
  if (history === undefined) {
    throw new HoldfastError('log-missing', `the history of timeline ${end.timeline} is not in the repository`, {
      hint: 'Restore to a time before another server was promoted, or from a backup that was taken after it.',
    });
  }
  const left = parseHistory(Buffer.from(history).toString('utf8')).filter(({ timeline }) => timeline >= from.timeline);
  let start = from.lsn;
  const legs = left.map(({ timeline, lsn }): Leg => {
    const leg = { timeline, start, end: lsn };
    start = lsn;
    return leg;
  });
  return [...legs, { timeline: end.timeline, start, end: end.lsn }];
}

/** A recovery stops at these: a transaction's number without its epoch, a name to the letter. */
function isMark(record: WalRecord, mark: LogMark): boolean {
  if (record.kind === 'restore-point') return mark.kind === 'name' && record.name === mark.name;
  return (
    record.kind === 'transaction-end' &&
    mark.kind === 'xid' &&
    BigInt(record.xid) === BigInt.asUintN(32, BigInt(mark.xid))
  );
}
