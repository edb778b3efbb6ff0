import { describe, expect, it } from 'vitest';
import type { LogMark } from '../../log.ts';
import { findMark } from './find-mark.ts';
import { WalRecords } from './records.ts';

const [SEGMENT_BYTES, PAGE_BYTES] = [32_768, 8192];

/** A record as a server writes it, with its data behind one short header. */
function recordOf(manager: number, info: number, data: Buffer, xid = 0): Buffer {
  const record = Buffer.alloc(26 + data.length);
  record.writeUInt32LE(record.length, 0);
  record.writeUInt32LE(xid, 4);
  record[16] = info;
  record[17] = manager;
  record[24] = 255;
  record[25] = data.length;
  data.copy(record, 26);
  return record;
}

function restorePoint(name: string): Buffer {
  const data = Buffer.alloc(72);
  data.write(name, 8);
  return recordOf(0, 0x70, data);
}

const commit = (xid: number) => recordOf(1, 0, Buffer.alloc(8), xid);
/** Of another kind, and so long. */
const filler = (length: number) => {
  const record = recordOf(10, 0, Buffer.alloc(0));
  record.writeUInt32LE(length, 0);
  return Buffer.concat([record, Buffer.alloc(length - record.length)]);
};

/** The log of one timeline from segment 1 on: pages with their headers, and what goes on from one to the next. */
class Log {
  readonly bytes = Buffer.alloc(4 * SEGMENT_BYTES);
  #at = 0;

  constructor() {
    for (let page = 0; page < this.bytes.length; page += PAGE_BYTES) {
      const isLong = page % SEGMENT_BYTES === 0;
      this.bytes.writeUInt16LE(0xd116, page);
      this.bytes.writeUInt16LE(isLong ? 2 : 0, page + 2);
      this.bytes.writeBigUInt64LE(BigInt(SEGMENT_BYTES + page), page + 8);
      if (isLong) this.bytes.writeUInt32LE(PAGE_BYTES, page + 36);
    }
  }

  get lsn(): bigint {
    return BigInt(SEGMENT_BYTES + this.#at);
  }

  /** @param writtenBytes less, where the server crashed while it wrote. @returns where it begins */
  write(record: Buffer, writtenBytes = record.length): bigint {
    this.#skipHeader();
    const { lsn } = this;
    for (let done = 0; done < writtenBytes; ) {
      if (this.#at % PAGE_BYTES === 0) {
        this.bytes[this.#at + 2]! |= 1;
        this.bytes.writeUInt32LE(record.length - done, this.#at + 16);
        this.#skipHeader();
      }
      const part = record.subarray(done, Math.min(writtenBytes, done + PAGE_BYTES - (this.#at % PAGE_BYTES)));
      part.copy(this.bytes, this.#at);
      done += part.length;
      this.#at += part.length;
    }
    this.#at = Math.ceil(this.#at / 8) * 8;
    return lsn;
  }

  /** Until so much of a page is left. */
  fill(leftBytes: number): void {
    this.#skipHeader();
    this.write(filler(PAGE_BYTES - (this.#at % PAGE_BYTES) - leftBytes));
  }

  /** As at the end of what a server has, or from a switch of the segment on. */
  nextSegment(): void {
    this.#at = Math.ceil(this.#at / SEGMENT_BYTES) * SEGMENT_BYTES;
  }

  #skipHeader(): void {
    if (this.#at % PAGE_BYTES === 0) this.#at += this.bytes.readUInt16LE(this.#at + 2) & 2 ? 40 : 24;
  }
}

function find(
  mark: LogMark,
  logs: Record<number, Log>,
  [from, end]: [[number, bigint], [number, bigint]],
  history = '',
) {
  const position = ([timeline, lsn]: [number, bigint]) => ({ timeline, lsn });
  return findMark(mark, {
    ...{ from: position(from), end: position(end), segmentBytes: SEGMENT_BYTES, signal: new AbortController().signal },
    readSegment: async (timeline, start) => {
      const at = Number(start) - SEGMENT_BYTES;
      return logs[timeline]!.bytes.subarray(at, at + SEGMENT_BYTES);
    },
    readHistory: async () => (history === '' ? undefined : Buffer.from(history)),
  });
}

const START: [number, bigint] = [1, BigInt(SEGMENT_BYTES)];

describe('a mark in a log', () => {
  it('is the first record of its name or number, behind where the search begins', async () => {
    const log = new Log();
    const [first, , second] = [restorePoint('a'), commit(7), restorePoint('a')].map((record) => log.write(record));
    const third = log.write(commit(7));
    const all = [START, [1, log.lsn]] as [typeof START, typeof START];
    expect(await find({ kind: 'name', name: 'a' }, { 1: log }, all)).toEqual({ timeline: 1, lsn: first });
    expect(await find({ kind: 'name', name: 'a' }, { 1: log }, [[1, first! + 1n], all[1]])).toMatchObject({
      lsn: second,
    });
    expect(await find({ kind: 'xid', xid: '7' }, { 1: log }, [[1, second!], all[1]])).toMatchObject({ lsn: third });
    expect(
      await find({ kind: 'xid', xid: '7' }, { 1: log }, [
        [1, second!],
        [1, third],
      ]),
    ).toBeUndefined();
    // As a server tells it, with how often the numbers have begun anew.
    expect(await find({ kind: 'xid', xid: String(2n ** 32n + 7n) }, { 1: log }, all)).toBeDefined();
    expect(await find({ kind: 'name', name: 'A' }, { 1: log }, all)).toBeUndefined();
  });

  it.each([8, 16, 24, 32, 96])(
    'is found when %d bytes of it are on one page, and the rest on the next',
    async (leftBytes) => {
      const log = new Log();
      log.fill(leftBytes);
      const lsn = log.write(restorePoint('cut'));
      log.write(filler(2 * PAGE_BYTES));
      log.fill(leftBytes);
      const overSegments = log.write(restorePoint('over'));
      expect(overSegments).toBe(BigInt(2 * SEGMENT_BYTES - leftBytes));
      const all = [START, [1, log.lsn]] as [typeof START, typeof START];
      expect(await find({ kind: 'name', name: 'cut' }, { 1: log }, all)).toMatchObject({ lsn });
      expect(await find({ kind: 'name', name: 'over' }, { 1: log }, all)).toMatchObject({ lsn: overSegments });
    },
  );

  it('is found behind a record of many pages, one that a crash cut off, and a segment that was left early', async () => {
    const log = new Log();
    log.write(filler(3 * PAGE_BYTES));
    log.fill(16);
    log.write(restorePoint('never'), 16);
    const behind = log.write(restorePoint('behind'));
    log.nextSegment();
    const last = log.write(restorePoint('last'));
    const all = [START, [1, log.lsn]] as [typeof START, typeof START];
    expect(await find({ kind: 'name', name: 'behind' }, { 1: log }, all)).toMatchObject({ lsn: behind });
    expect(await find({ kind: 'name', name: 'last' }, { 1: log }, all)).toMatchObject({ lsn: last });
    expect(await find({ kind: 'name', name: 'never' }, { 1: log }, all)).toBeUndefined();
  });

  it('is none on a timeline behind where it was left, and one on the next', async () => {
    const [old, next] = [new Log(), new Log()];
    for (const log of [old, next]) log.write(restorePoint('before'));
    const left = old.lsn;
    old.write(restorePoint('lost'));
    const kept = next.write(restorePoint('kept'));
    const history = `1\t${(left >> 32n).toString(16)}/${left.toString(16)}\tno reason\n`;
    const all = [START, [2, next.lsn]] as [typeof START, typeof START];
    const found = (name: string) => find({ kind: 'name', name }, { 1: old, 2: next }, all, history);
    expect(await found('before')).toMatchObject({ timeline: 1 });
    expect(await found('lost')).toBeUndefined();
    expect(await found('kept')).toEqual({ timeline: 2, lsn: kept });
    const without = find({ kind: 'name', name: 'kept' }, { 1: old, 2: next }, all);
    await expect(without).rejects.toMatchObject({ code: 'log-missing' });
  });
});

describe('what is no log', () => {
  it('is told from one that has ended', () => {
    const names: string[] = [];
    const records = new WalRecords((record) => void names.push(record.kind));
    const log = new Log();
    log.write(restorePoint('a'));
    const segment = log.bytes.subarray(0, SEGMENT_BYTES);
    segment.fill(0, PAGE_BYTES);
    records.take(BigInt(SEGMENT_BYTES), segment);
    records.take(BigInt(2 * SEGMENT_BYTES), Buffer.alloc(SEGMENT_BYTES));
    expect(names).toEqual(['restore-point']);
    const wrong = [() => segment.fill(0x55, 0, 40), () => segment.writeUInt32LE(7, 40)];
    const other = expect.objectContaining({ code: 'repository-damaged' });
    expect(() => records.take(BigInt(3 * SEGMENT_BYTES), segment)).toThrow(other);
    for (const change of wrong.toReversed()) {
      change();
      expect(() => records.take(BigInt(SEGMENT_BYTES), segment)).toThrow(other);
    }
  });
});
