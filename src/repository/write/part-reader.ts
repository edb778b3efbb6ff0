import { readSync } from 'node:fs';
import { CHUNKER_DATA_OFFSET, Chunker, chunkerMemory, ID_BYTES, MAX_CHUNK_BYTES } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { hashEach, hashInRoom } from '../../foundation/sha256.ts';
import { type ExpectedChunks, ExpectedCuts } from './earlier-chunks.ts';
import type { Sealer } from './sealer.ts';

/** A part of a file, for a worker to read, cut and store by itself. */
export interface FilePart {
  number: number;
  fileDescriptor: number;
  position: number;
  /** As many bytes are read at most: fewer where the file ends. */
  limitBytes: number;
  /** Where the file is expected to end, if it is: nobody asks for more once it has so many bytes and gives no more. */
  sizeBytes?: number;
  /** How it was cut when it was stored before. */
  expected?: ExpectedChunks;
}

export interface StoredPart {
  number: number;
  /** The ids of its blobs, 32 bytes each. */
  ids: Uint8Array;
  sizeBytes: number;
  /** How many of its blobs were new, their plain bytes, and what they take in their packs. */
  fresh: { blobs: number; bytes: number; storedBytes: number };
  /** Why the file could not be read. */
  failure?: { message: string; code: string | undefined };
}

const NONE_FRESH = { blobs: 0, bytes: 0, storedBytes: 0 } as const;

/** Room for the longest chunk, and for what is read behind it. */
const ROOM_BYTES = MAX_CHUNK_BYTES + 1024 * 1024;

/** Ids as hexadecimal text. @param ids `ID_BYTES` each */
export function idsIn(ids: Uint8Array): string[] {
  const hex = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('hex');
  return Array.from({ length: ids.length / ID_BYTES }, (_, index) => hex.slice(index * 64, (index + 1) * 64));
}

interface Chunk {
  length: number;
  /** Where it had to be found out already. */
  id?: Buffer;
}

/** Reads parts of files in a worker. What it reads never leaves it, but for the packs. */
export class PartReader {
  readonly #sealer: Pick<Sealer, 'store'>;
  readonly #bytes: Uint8Array;
  readonly #chunker: Chunker;
  /** Of chunks of the same part that were hashed along with one before them, by their positions in it. */
  readonly #idsAhead = new Map<number, Buffer>();

  /** What is read into it is good until something else is. */
  get room(): Uint8Array {
    return this.#bytes;
  }

  constructor(sealer: Pick<Sealer, 'store'>, gear: Int32Array) {
    this.#sealer = sealer;
    const memory = chunkerMemory(ROOM_BYTES);
    this.#bytes = new Uint8Array(memory.buffer, CHUNKER_DATA_OFFSET, ROOM_BYTES);
    this.#chunker = new Chunker(memory, gear);
  }

  /**
   * @param between is called after every blob; false ends the part before its end
   * @throws what the sealer throws; that the file cannot be read is a result
   */
  store(part: FilePart, between: () => boolean): StoredPart {
    const stored: StoredPart = {
      number: part.number,
      ids: new Uint8Array(0),
      sizeBytes: 0,
      fresh: { blobs: 0, bytes: 0, storedBytes: 0 },
    };
    const ids: Buffer[] = [];
    let start = 0;
    let end = 0;
    const add = ({ length, id: known }: Chunk): void => {
      const { id, fresh, storedBytes } = this.#sealer.store('data', this.#bytes.subarray(start, start + length), known);
      ids.push(id);
      start += length;
      if (!fresh) return;
      stored.fresh.blobs++;
      stored.fresh.bytes += length;
      stored.fresh.storedBytes += storedBytes;
    };
    this.#chunker.reset();
    this.#idsAhead.clear();
    const expected = new ExpectedCuts(part.expected);
    const next = (): Chunk | undefined => this.#nextChunk(expected, stored.sizeBytes - (end - start), start, end);
    let isWanted = true;
    while (stored.sizeBytes < part.limitBytes && isWanted) {
      if (end === ROOM_BYTES) {
        this.#chunker.move(CHUNKER_DATA_OFFSET, CHUNKER_DATA_OFFSET + start, end - start);
        [start, end] = [0, end - start];
      }
      // What was cut so before is read up to a cut, and nothing is left to be carried over.
      const position = stored.sizeBytes - (end - start);
      const most = Math.min(
        Math.max(0, expected.bytesFrom(position, ROOM_BYTES - start) - (end - start)) || ROOM_BYTES - end,
        part.limitBytes - stored.sizeBytes,
      );
      const read = this.#read(part, end, most, stored);
      if (read === 0) break;
      end += read;
      stored.sizeBytes += read;
      for (let chunk = next(); chunk !== undefined; chunk = next()) {
        add(chunk);
        isWanted = between();
      }
      if (stored.sizeBytes === part.sizeBytes && read < most) break;
      if (start === end) [start, end] = [0, 0];
    }
    while (end > start) add({ length: this.#nextCut(start, end) || end - start });
    stored.ids = new Uint8Array(Buffer.concat(ids, ids.length * ID_BYTES));
    return stored;
  }

  /** Undefined while more bytes are needed to tell. @param position of its first byte in the part */
  #nextChunk(expected: ExpectedCuts, position: number, start: number, end: number): Chunk | undefined {
    const expectedLength = expected.lengthAt(position);
    if (expectedLength !== undefined) {
      if (expectedLength > end - start) return undefined;
      const id = this.#idsAhead.get(position) ?? this.#expectedId(expected, position, start, end);
      if (expected.isNext(id)) return { length: expectedLength, id };
    }
    const length = this.#nextCut(start, end);
    return length > 0 ? { length } : undefined;
  }

  /** Of the bytes where a chunk is expected. Those where others are, as far as they are there, are hashed along with them. */
  #expectedId(expected: ExpectedCuts, position: number, start: number, end: number): Buffer {
    const lengths = expected.lengthsWithin(end - start);
    const begins = [0];
    for (const length of lengths) begins.push(begins.at(-1)! + length);
    const ids = hashEach(
      lengths.map((length, at) => this.#bytes.subarray(start + begins[at]!, start + begins[at]! + length)),
    );
    for (const [at, id] of ids.entries()) this.#idsAhead.set(position + begins[at]!, id);
    return ids[0]!;
  }

  /**
   * Stores what was read to the beginning of the room, and is all of a file: it is shorter than the shortest chunk.
   * @throws what the sealer throws
   */
  storeShort(sizeBytes: number): Omit<StoredPart, 'number'> {
    const plain = this.#bytes.subarray(0, sizeBytes);
    const { id, fresh, storedBytes } = this.#sealer.store('data', plain, hashInRoom(this.#bytes, sizeBytes));
    return { ids: id, sizeBytes, fresh: fresh ? { blobs: 1, bytes: sizeBytes, storedBytes } : NONE_FRESH };
  }

  #nextCut(start: number, end: number): number {
    return this.#chunker.next(CHUNKER_DATA_OFFSET + start, CHUNKER_DATA_OFFSET + end);
  }

  /** @returns how many bytes there were: none at the end of the file, or when it cannot be read */
  #read(part: FilePart, at: number, most: number, stored: StoredPart): number {
    try {
      return readSync(part.fileDescriptor, this.#bytes, at, most, part.position + stored.sizeBytes);
    } catch (error) {
      stored.failure = { message: messageOf(error), code: systemCode(error) };
      return 0;
    }
  }
}
