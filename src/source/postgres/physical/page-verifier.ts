import type { Lsn } from './lsn.ts';
import { pageChecksum } from './page-checksum.ts';

const CHECKSUM_OFFSET = 8;
const PD_UPPER_OFFSET = 14;

export interface PageFormat {
  pageBytes: number;
  /** Of a relation's segments but the last. */
  pagesPerSegment: number;
}

/** Verifies the checksums of the pages of a file of a relation, which comes in pieces of any size. */
export class PageVerifier {
  /** The numbers of broken pages in their relation, the first of them. */
  readonly brokenBlocks: number[] = [];
  brokenCount = 0;
  readonly #format: PageFormat;
  readonly #startLsn: Lsn;
  readonly #page: Buffer;
  readonly #words: Int32Array;
  #pageBytes = 0;
  #block: number;

  /**
   * @param startLsn where the backup began: what is newer may have been written while it was read, and comes back from
   *   the log
   */
  constructor(format: PageFormat, segment: number, startLsn: Lsn) {
    const memory = new ArrayBuffer(format.pageBytes);
    this.#format = format;
    this.#startLsn = startLsn;
    this.#page = Buffer.from(memory);
    this.#words = new Int32Array(memory);
    this.#block = segment * format.pagesPerSegment;
  }

  take(bytes: Buffer): void {
    for (let read = 0; read < bytes.length; ) {
      const end = Math.min(read + this.#format.pageBytes - this.#pageBytes, bytes.length);
      // Copied, because the words of a page in the middle of a message are at no even address.
      bytes.copy(this.#page, this.#pageBytes, read, end);
      this.#pageBytes += end - read;
      read = end;
      if (this.#pageBytes === this.#format.pageBytes) this.#verify();
    }
  }

  #verify(): void {
    const block = this.#block++;
    this.#pageBytes = 0;
    if (judgePage(this.#page, this.#words, block, this.#startLsn) !== 'broken') return;
    this.brokenCount++;
    if (this.brokenBlocks.length < LISTED) this.brokenBlocks.push(block);
  }
}

/**
 * In units of 4 GiB of log: no backup lasts so long that the server writes a tebibyte. A page that claims to be newer than
 * that has garbage for a header.
 */
const LOG_OF_A_BACKUP = 256;

/** More of one file tell nothing new. */
const LISTED = 10;

/**
 * Whether a page has the checksum that it should have, or none to be held against because it was never filled; or is newer
 * than the backup, whose log will bring it back. The page's checksum is set to zero.
 */
export function judgePage(page: Buffer, words: Int32Array, block: number, start: Lsn): 'sound' | 'newer' | 'broken' {
  // Of a page that was ever filled this field is not zero.
  if (page.readUInt16LE(PD_UPPER_OFFSET) === 0 && words.every((word) => word === 0)) return 'sound';
  if (isNewer(page.readUInt32LE(0), page.readUInt32LE(4), start)) return 'newer';
  const expected = page.readUInt16LE(CHECKSUM_OFFSET);
  page.writeUInt16LE(0, CHECKSUM_OFFSET);
  return pageChecksum(words, block) === expected ? 'sound' : 'broken';
}

function isNewer(high: number, low: number, start: Lsn): boolean {
  if (high === start.high) return low >= start.low;
  return high > start.high && high - start.high <= LOG_OF_A_BACKUP;
}
