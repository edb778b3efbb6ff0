import { ID_BYTES, MAX_CHUNK_BYTES, SEAL_OVERHEAD_BYTES } from '../../format/index.ts';
import type { BlobTable } from '../blob-table.ts';

/**
 * Where a file was cut when it was stored before. Bytes that are what they were need not be looked through for a cut: their
 * hash, which is needed anyway, tells that they are. Where they are not, the content says anew where to cut, and once a cut
 * falls on one of before, what follows is tried again.
 */

/** The chunks in a part of a file, in order. */
export interface ExpectedChunks {
  /** Where each begins, counted from the part's first byte. */
  starts: Uint32Array;
  lengths: Uint32Array;
  /** `ID_BYTES` each. */
  ids: Uint8Array;
}

/** The chunks of one file, asked for part by part, from its beginning on. */
export class EarlierChunks {
  readonly #content: readonly string[];
  readonly #table: Pick<BlobTable, 'find'>;
  readonly #sizeBytes: number;
  #index = 0;
  #position = 0;

  /**
   * @param content the ids of the blobs that it consisted of
   * @param sizeBytes of the file now
   */
  constructor(content: readonly string[], table: Pick<BlobTable, 'find'>, sizeBytes: number) {
    this.#content = content;
    this.#table = table;
    this.#sizeBytes = sizeBytes;
  }

  /** Those that lie in the part from `position` up to `end`, which is behind those that were asked for before. */
  within(position: number, end: number): ExpectedChunks {
    const starts: number[] = [];
    const lengths: number[] = [];
    const ids: Buffer[] = [];
    for (; this.#index < this.#content.length && this.#position < end; this.#index++) {
      const id = Buffer.from(this.#content[this.#index]!, 'hex');
      const length = this.#lengthOf(id);
      const start = this.#position;
      this.#position += length;
      if (start < position || this.#position > end || !this.#isCut(length)) continue;
      starts.push(start - position);
      lengths.push(length);
      ids.push(id);
    }
    return { starts: Uint32Array.from(starts), lengths: Uint32Array.from(lengths), ids: Buffer.concat(ids) };
  }

  /** Behind a blob that the repository does not have, nobody knows where the others were. */
  #lengthOf(id: Buffer): number {
    const blob = this.#table.find(id, 'data');
    return blob === undefined
      ? Number.POSITIVE_INFINITY
      : (blob.uncompressedLength ?? blob.length - SEAL_OVERHEAD_BYTES);
  }

  /** Where the file ended it was not cut, and is not to be once it goes on there. Another program's chunks may be longer. */
  #isCut(length: number): boolean {
    const isLast = this.#index === this.#content.length - 1;
    return length <= MAX_CHUNK_BYTES && (!isLast || this.#position === this.#sizeBytes);
  }
}

/** Goes through the expected chunks of a part in a worker. */
export class ExpectedCuts {
  readonly #chunks: ExpectedChunks | undefined;
  #index = 0;

  constructor(chunks: ExpectedChunks | undefined) {
    this.#chunks = chunks;
  }

  /** How long the chunk was that began here, undefined where none did. @param start never before that of an earlier call */
  lengthAt(start: number): number | undefined {
    const { starts, lengths } = this.#chunks ?? NONE;
    this.#goTo(start);
    return starts[this.#index] === start ? lengths[this.#index] : undefined;
  }

  /** How long the chunks were that follow one another from the one on that `lengthAt` told of last, in so many bytes at most. */
  lengthsWithin(mostBytes: number): number[] {
    const { starts, lengths } = this.#chunks ?? NONE;
    const within: number[] = [];
    let end = starts[this.#index]!;
    const limit = end + mostBytes;
    for (let index = this.#index; starts[index] === end && end + lengths[index]! <= limit; index++) {
      within.push(lengths[index]!);
      end += lengths[index]!;
    }
    return within;
  }

  /** How many bytes the chunks take that are expected from `start` on, at most `mostBytes`; 0 for none. */
  bytesFrom(start: number, mostBytes: number): number {
    if (this.lengthAt(start) === undefined) return 0;
    const lengths = this.lengthsWithin(mostBytes);
    let left = sum(lengths);
    let bytes = 0;
    for (const length of lengths) {
      // One that is left alone at the end is hashed alone.
      if (bytes >= AT_ONCE_BYTES && left > AT_ONCE_BYTES / 2) break;
      bytes += length;
      left -= length;
    }
    return bytes;
  }

  #goTo(start: number): void {
    const { starts } = this.#chunks ?? NONE;
    while (this.#index < starts.length && starts[this.#index]! < start) this.#index++;
  }

  /** Whether this is the id of the chunk that `lengthAt` told of last, which is over with. */
  isNext(id: Buffer): boolean {
    const at = this.#index++ * ID_BYTES;
    return id.equals((this.#chunks ?? NONE).ids.subarray(at, at + ID_BYTES));
  }
}

/** Of chunks that are read and hashed together: of several, two can be under way nearly all the time. */
const AT_ONCE_BYTES = 4 * 1024 * 1024;

function sum(lengths: readonly number[]): number {
  return lengths.reduce((total, length) => total + length, 0);
}

const NONE: ExpectedChunks = { starts: new Uint32Array(0), lengths: new Uint32Array(0), ids: new Uint8Array(0) };
