import { HoldfastError } from '../../foundation/errors.ts';

/**
 * A place between two commands of a stream, or between two transactions, where it may be cut: all of it before `lsn` had
 * happened by this moment of the server's clock, milliseconds since 1970.
 */
export interface Stamp {
  lsn: bigint;
  ms: number;
  /** Nobody was there when it happened: when, between the stamp before it and this one, is not known. */
  isLate?: boolean;
}

const LINE = /^(\d{1,20}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)( late)?$/;

/**
 * As they are kept: a line each, the position in decimal digits, the moment by RFC 3339, and `late` where that is so; in the
 * order of the stream.
 */
export function encodeStamps(stamps: readonly Stamp[]): Buffer {
  const lines = stamps.map(
    ({ lsn, ms, isLate = false }) => `${lsn} ${new Date(ms).toISOString()}${isLate ? ' late' : ''}\n`,
  );
  return Buffer.from(lines.join(''));
}

/** @throws repository-damaged where a line is none, or they are out of order */
export function decodeStamps(bytes: Uint8Array): Stamp[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').split('\n');
  if (lines.pop() !== '') throw noStamps();
  let before = 0n;
  return lines.map((line) => {
    const [, lsn, time, late] = LINE.exec(line) ?? [];
    const stamp: Stamp = { lsn: BigInt(lsn ?? 0), ms: Date.parse(time ?? ''), ...(late && { isLate: true }) };
    // A clock may be set back; a position is not.
    if (Number.isNaN(stamp.ms) || stamp.lsn <= before) throw noStamps();
    before = stamp.lsn;
    return stamp;
  });
}

/** The stamps of what lies within a part, its end included. */
export function stampsWithin(stamps: readonly Stamp[], { start, end }: { start: bigint; end: bigint }): Stamp[] {
  return stamps.filter(({ lsn }) => start < lsn && lsn <= end);
}

function noStamps(): HoldfastError {
  return new HoldfastError('repository-damaged', 'what says when a log was written cannot be read');
}
