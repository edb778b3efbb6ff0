import { HoldfastError } from '../../../foundation/errors.ts';
import { lsnText } from '../../../repository/index.ts';

/**
 * Reads a log's records, as far as the end of a recovery is decided by them (restore points, and the ends of transactions),
 * or a replay writes outside of its data directory (tablespaces).
 * Sources: PostgreSQL's src/include/access/xlog_internal.h (pages), xlogrecord.h (records), xact.h (what the end of a
 * transaction holds), tablespace.h, and xlogrecovery.c (which of them end a recovery).
 */
export type WalRecord =
  | { kind: 'restore-point'; lsn: bigint; name: string }
  /** A tablespace is made in this directory of the server. */
  | { kind: 'tablespace'; lsn: bigint; location: string }
  /** Committed or rolled back, whether prepared before or not. */
  | { kind: 'transaction-end'; lsn: bigint; xid: number; isCommit: boolean };

const [PAGE_HEADER_BYTES, LONG_PAGE_HEADER_BYTES, RECORD_HEADER_BYTES] = [24, 40, 24];
const [FIRST_IS_CONTINUATION, LONG_HEADER] = [0x01, 0x02];
const [RMGR_XLOG, RMGR_XACT, RMGR_TABLESPACE] = [0, 1, 5];
const TABLESPACE_CREATE = 0x00;
const RESTORE_POINT = 0x70;
const RESTORE_POINT_BYTES = 72;
const [XACT_COMMIT, XACT_ABORT, XACT_COMMIT_PREPARED, XACT_ABORT_PREPARED] = [0x00, 0x20, 0x30, 0x40];
/** From this page format on, which is that of PostgreSQL 18, an item of statistics that goes with a table has 16 bytes. */
const WIDE_STATISTICS_MAGIC = 0xd118;

/** A record that goes on on the next page. */
interface Begun {
  lsn: bigint;
  parts: Buffer[];
  missingBytes: number;
  isWanted: boolean;
}

/** Takes a timeline's segments in order, from any of them on. */
export class WalRecords {
  readonly #visit: (record: WalRecord) => void;
  #begun: Begun | undefined;
  #magic = 0;

  /** @param visit is told of the records in their order; of a record that the segments have only in part it is not */
  constructor(visit: (record: WalRecord) => void) {
    this.#visit = visit;
  }

  /**
   * @param start where it begins
   * @param bytes of it; zeros, where it is not there yet
   * @throws repository-damaged where it is no log
   */
  take(start: bigint, bytes: Buffer): void {
    const pageBytes = bytes.readUInt16LE(2) & LONG_HEADER ? bytes.readUInt32LE(36) : 0;
    if (bytes.readUInt16LE(0) !== 0 && (pageBytes < 1024 || bytes.length % pageBytes !== 0)) throw noLog(start);
    for (let page = 0; page < bytes.length; page += pageBytes) {
      const magic = bytes.readUInt16LE(page);
      // The log has come no further.
      if (magic === 0) return;
      const address = start + BigInt(page);
      if (magic >> 12 !== 0xd || bytes.readBigUInt64LE(page + 8) !== address) throw noLog(address);
      this.#magic = magic;
      this.#takePage(address, bytes.subarray(page, page + pageBytes));
    }
  }

  #takePage(address: bigint, page: Buffer): void {
    const flags = page.readUInt16LE(2);
    const header = flags & LONG_HEADER ? LONG_PAGE_HEADER_BYTES : PAGE_HEADER_BYTES;
    let at = header + this.#goOn(page.subarray(header), flags & FIRST_IS_CONTINUATION ? page.readUInt32LE(16) : 0);
    while (at < page.length) {
      const length = page.readUInt32LE(at);
      // Behind a switch to the next segment, or the end.
      if (length === 0) return;
      if (length < RECORD_HEADER_BYTES) throw noLog(address + BigInt(at));
      const record = page.subarray(at, at + length);
      const lsn = address + BigInt(at);
      if (record.length === length) this.#look(lsn, record);
      else this.#begin(lsn, record, length);
      at += aligned(length);
    }
  }

  /** @param continued as much of a record of before goes on here. @returns where the page's first own record begins */
  #goOn(content: Buffer, continued: number): number {
    const begun = this.#begun;
    this.#begun = undefined;
    // One that does not go on as it began was never finished: a server that crashed begins anew behind it.
    if (begun !== undefined && begun.missingBytes === continued) {
      const part = content.subarray(0, continued);
      if (begun.isWanted) begun.parts.push(Buffer.from(part));
      begun.missingBytes -= part.length;
      if (begun.missingBytes > 0) this.#begun = begun;
      else if (begun.isWanted) this.#look(begun.lsn, Buffer.concat(begun.parts));
    }
    return aligned(Math.min(continued, content.length));
  }

  #begin(lsn: bigint, part: Buffer, length: number): void {
    // The header may be cut as well.
    const isWanted = part.length < RECORD_HEADER_BYTES || [RMGR_XLOG, RMGR_XACT, RMGR_TABLESPACE].includes(part[17]!);
    this.#begun = { lsn, parts: isWanted ? [Buffer.from(part)] : [], missingBytes: length - part.length, isWanted };
  }

  #look(lsn: bigint, record: Buffer): void {
    const [info, manager] = [record[16]!, record[17]];
    if (manager === RMGR_XLOG && (info & 0xf0) === RESTORE_POINT) {
      const text = record.subarray(record.length - RESTORE_POINT_BYTES + 8);
      this.#visit({ kind: 'restore-point', lsn, name: text.subarray(0, text.indexOf(0)).toString('utf8') });
    } else if (manager === RMGR_TABLESPACE && (info & 0xf0) === TABLESPACE_CREATE) {
      // Behind its oid.
      const text = mainData(record).subarray(4);
      this.#visit({ kind: 'tablespace', lsn, location: text.subarray(0, text.indexOf(0)).toString('utf8') });
    } else if (manager === RMGR_XACT) {
      const xid = endedTransaction(record, info, this.#magic);
      const isCommit = [XACT_COMMIT, XACT_COMMIT_PREPARED].includes(info & 0x70);
      if (xid !== undefined) this.#visit({ kind: 'transaction-end', lsn, xid, isCommit });
    }
  }
}

/** The transaction that a record is the end of. */
function endedTransaction(record: Buffer, info: number, magic: number): number | undefined {
  switch (info & 0x70) {
    case XACT_COMMIT:
    case XACT_ABORT:
      return record.readUInt32LE(4);
    case XACT_COMMIT_PREPARED:
      return preparedTransaction(mainData(record), info, { isCommit: true, magic });
    case XACT_ABORT_PREPARED:
      return preparedTransaction(mainData(record), info, { isCommit: false, magic });
    default:
      return undefined;
  }
}

const [DATA_SHORT, DATA_LONG, ORIGIN, TOP_LEVEL_TRANSACTION] = [255, 254, 253, 252];

/** What is behind a record's headers. */
function mainData(record: Buffer): Buffer {
  for (let at = RECORD_HEADER_BYTES; at < record.length; ) {
    const id = record[at];
    if (id === DATA_SHORT) return record.subarray(at + 2);
    if (id === DATA_LONG) return record.subarray(at + 5);
    if (id === ORIGIN) at += 3;
    else if (id === TOP_LEVEL_TRANSACTION) at += 5;
    else break;
  }
  return Buffer.alloc(0);
}

const HAS_INFO = 0x80;
const [DATABASE, SUBTRANSACTIONS, RELATIONS, INVALIDATIONS, TWO_PHASE, STATISTICS] = [1, 2, 4, 8, 16, 256];

/** The transaction that was prepared before: behind lists whose lengths depend on what it did. */
function preparedTransaction(
  data: Buffer,
  info: number,
  { isCommit, magic }: { isCommit: boolean; magic: number },
): number | undefined {
  const has = info & HAS_INFO ? data.readUInt32LE(8) : 0;
  let at = 12;
  if (has & DATABASE) at += 8;
  const skip = (itemBytes: number): void => {
    at += 4 + data.readUInt32LE(at) * itemBytes;
  };
  if (has & SUBTRANSACTIONS) skip(4);
  if (has & RELATIONS) skip(12);
  if (has & STATISTICS) skip(magic >= WIDE_STATISTICS_MAGIC ? 16 : 12);
  if (has & INVALIDATIONS && isCommit) skip(16);
  return has & TWO_PHASE ? data.readUInt32LE(at) : undefined;
}

function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}

function noLog(at: bigint): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `what is stored of the log at ${lsnText(at)} is no log that can be read`,
  );
}
