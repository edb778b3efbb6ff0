import { SEAL_OVERHEAD_BYTES } from '../../format/index.ts';
import { Column } from '../../foundation/columns.ts';
import type { IndexedRepository } from '../indexed.ts';
import type { PlacesOfFile } from './right-places.ts';

/** How packs are read: a range is also the step in which work is shared, stopped and told of. */
export interface RangeLimits {
  /** Blobs of a pack that lie no further apart are read in one go. */
  gapBytes: number;
  rangeBytes: number;
  /** What compresses well comes in shorter ranges. */
  plainBytes: number;
}

/** For packs that are files of this machine. */
export const NEAR_RANGES: RangeLimits = { gapBytes: 128 * 1024, rangeBytes: 2 * 2 ** 20, plainBytes: 16 * 2 ** 20 };
/** For packs of which each range takes a round trip, and is paid for: four are on their way at once, and three make a pack. */
export const FAR_RANGES: RangeLimits = { gapBytes: 512 * 1024, rangeBytes: 6 * 2 ** 20, plainBytes: 64 * 2 ** 20 };

/** Words of a blob. */
const OFFSET = 0;
const LENGTH = 1;
const PLAIN_LENGTH = 2;
const PLACES = 3;
const BLOB_WORDS = 4;
/** Words of a range. */
const PACK = 0;
const FIRST_BLOB = 1;
const RANGE_WORDS = 2;
const ID_BYTES = 32;

/**
 * What is read of which packs, and where it goes, as columns that all threads see. Ranges follow each other by pack and
 * offset, each names its first blob; a blob names its first place. A place is a file and a position in it.
 */
export interface SharedRanges {
  ranges: Uint32Array;
  blobs: Uint32Array;
  ids: Uint8Array;
  placeFiles: Uint32Array;
  placePositions: Float64Array;
}

export interface WantedRange {
  /** The pack's number in the index. */
  pack: number;
  offset: number;
  length: number;
  /** The blobs from `firstBlob` to before `endBlob`. */
  firstBlob: number;
  endBlob: number;
}

export interface WantedBlob {
  id: Uint8Array;
  /** In the pack. */
  offset: number;
  length: number;
  /** 0 when it is not compressed. */
  uncompressedLength: number;
  firstPlace: number;
  endPlace: number;
}

export class WantedRanges {
  readonly shared: SharedRanges;

  constructor(shared: SharedRanges) {
    this.shared = shared;
  }

  get count(): number {
    return this.shared.ranges.length / RANGE_WORDS - 1;
  }

  range(number: number): WantedRange {
    const { ranges } = this.shared;
    const at = number * RANGE_WORDS;
    return this.part(number, ranges[at + FIRST_BLOB]!, ranges[at + RANGE_WORDS + FIRST_BLOB]!);
  }

  /** Some blobs of a range, which follow each other. */
  part(number: number, firstBlob: number, endBlob: number): WantedRange {
    const { ranges, blobs } = this.shared;
    const offset = blobs[firstBlob * BLOB_WORDS + OFFSET]!;
    let end = offset;
    for (let blob = firstBlob; blob < endBlob; blob++) {
      end = Math.max(end, blobs[blob * BLOB_WORDS + OFFSET]! + blobs[blob * BLOB_WORDS + LENGTH]!);
    }
    return { pack: ranges[number * RANGE_WORDS + PACK]!, offset, length: end - offset, firstBlob, endBlob };
  }

  blob(number: number): WantedBlob {
    const { blobs, ids } = this.shared;
    const at = number * BLOB_WORDS;
    return {
      id: ids.subarray(number * ID_BYTES, (number + 1) * ID_BYTES),
      offset: blobs[at + OFFSET]!,
      length: blobs[at + LENGTH]!,
      uncompressedLength: blobs[at + PLAIN_LENGTH]!,
      firstPlace: blobs[at + PLACES]!,
      endPlace: blobs[at + BLOB_WORDS + PLACES]!,
    };
  }

  file(place: number): number {
    return this.shared.placeFiles[place]!;
  }

  position(place: number): number {
    return this.shared.placePositions[place]!;
  }
}

/** Collects which blobs are wanted where; `finish` brings them into the order in which they lie. */
export class WantedBuilder {
  readonly #indexed: IndexedRepository;
  readonly #packs = Column.ofWords();
  readonly #offsets = Column.ofWords();
  readonly #lengths = Column.ofWords();
  readonly #plainLengths = Column.ofWords();
  readonly #ids = Column.ofBytes();
  readonly #files = Column.ofWords();
  readonly #positions = Column.ofNumbers();
  /** 1 for each place that holds what it should. */
  readonly #kept = Column.ofBytes();

  constructor(indexed: IndexedRepository) {
    this.#indexed = indexed;
  }

  /** Wants a blob at a position of a file. @returns its plain length. @throws repository-damaged */
  add(id: string, file: number, position: number): number {
    const { packNumber, offset, length, uncompressedLength } = this.#indexed.locate(id, 'data');
    this.#packs.push(packNumber);
    this.#offsets.push(offset);
    this.#lengths.push(length);
    this.#plainLengths.push(uncompressedLength ?? 0);
    this.#ids.pushAll(Buffer.from(id, 'hex'));
    this.#files.push(file);
    this.#positions.push(position);
    this.#kept.push(0);
    return uncompressedLength ?? length - SEAL_OVERHEAD_BYTES;
  }

  get count(): number {
    return this.#files.length;
  }

  /** The packs that anything wanted lies in, by their numbers in the index. */
  get packNumbers(): Set<number> {
    return new Set(this.#packs.values);
  }

  /** The file that a place is in. Places are numbered in the order of being added. */
  file(place: number): number {
    return this.#files.values[place]!;
  }

  /** How many bytes belong at a place. */
  plainLength(place: number): number {
    return this.#plainLengths.values[place]! || this.#lengths.values[place]! - SEAL_OVERHEAD_BYTES;
  }

  /** The places from `first` to before `end`, copied. */
  places(first: number, end: number): Omit<PlacesOfFile, 'path'> {
    return {
      positions: this.#positions.values.slice(first, end) as Float64Array,
      lengths: Uint32Array.from({ length: end - first }, (_, at) => this.plainLength(first + at)),
      ids: this.#ids.values.slice(first * ID_BYTES, end * ID_BYTES) as Uint8Array,
    };
  }

  /**
   * Of the places from `first` on, those that hold what they should: they are not wanted any more.
   * @param right a 1 for each of them
   * @returns how many bytes they have
   */
  keep(first: number, right: Uint8Array): number {
    this.#kept.values.set(right, first);
    return this.keptBytes(first, first + right.length);
  }

  /** Of the places from `first` on, none is wanted any more. */
  leaveOut(first: number): void {
    this.keep(first, new Uint8Array(this.count - first).fill(1));
  }

  keptBytes(first: number, end: number): number {
    const kept = this.#kept.values;
    let bytes = 0;
    for (let place = first; place < end; place++) if (kept[place] === 1) bytes += this.plainLength(place);
    return bytes;
  }

  /** Ends the collecting, and gives its memory back. */
  finish(limits: RangeLimits): WantedRanges {
    const ranges = new RangeColumns(limits);
    const [packs, offsets, lengths] = [this.#packs.values, this.#offsets.values, this.#lengths.values];
    const kept = this.#kept.values;
    const [plainLengths, files, positions] = [this.#plainLengths.values, this.#files.values, this.#positions.values];
    let previous = -1;
    for (const place of inPackOrder(packs, offsets)) {
      if (kept[place] === 1) continue;
      const isSamePlace = previous >= 0 && packs[previous] === packs[place] && offsets[previous] === offsets[place];
      // The ids too: an index that gives two blobs one place must not pass the one off as the other.
      if (!isSamePlace || Buffer.compare(this.#id(previous), this.#id(place)) !== 0) {
        ranges.beginBlob(packs[place]!, [offsets[place]!, lengths[place]!, plainLengths[place]!]);
        ranges.ids.pushAll(this.#id(place));
      }
      ranges.placeFiles.push(files[place]!);
      ranges.placePositions.push(positions[place]!);
      previous = place;
    }
    for (const column of [this.#packs, this.#offsets, this.#lengths, this.#plainLengths, this.#ids, this.#files])
      column.release();
    this.#positions.release();
    this.#kept.release();
    return ranges.finish();
  }

  #id(place: number): Uint8Array {
    return this.#ids.values.subarray(place * ID_BYTES, (place + 1) * ID_BYTES) as Uint8Array;
  }
}

function inPackOrder(packs: ArrayLike<number>, offsets: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from(packs, (_pack, place) => place);
  return order.sort((a, b) => packs[a]! - packs[b]! || offsets[a]! - offsets[b]! || a - b);
}

type BlobLengths = [offset: number, length: number, plainLength: number];

/** Ranges as they are put together. */
class RangeColumns {
  readonly #limits: RangeLimits;
  readonly ranges = Column.ofWords();
  readonly blobs = Column.ofWords();
  readonly ids = Column.ofBytes();
  readonly placeFiles = Column.ofWords();
  readonly placePositions = Column.ofNumbers();
  #pack = -1;
  #offset = 0;
  #end = 0;
  #plainBytes = 0;

  constructor(limits: RangeLimits) {
    this.#limits = limits;
  }

  beginBlob(pack: number, [offset, length, plainLength]: BlobLengths): void {
    const end = offset + length;
    const goesOn =
      pack === this.#pack &&
      offset - this.#end <= this.#limits.gapBytes &&
      end - this.#offset <= this.#limits.rangeBytes &&
      this.#plainBytes + plainLength <= this.#limits.plainBytes;
    if (!goesOn) {
      this.ranges.pushAll([pack, this.blobs.length / BLOB_WORDS]);
      this.#pack = pack;
      this.#offset = offset;
      this.#end = end;
      this.#plainBytes = 0;
    }
    this.#end = Math.max(this.#end, end);
    this.#plainBytes += plainLength;
    this.blobs.pushAll([offset, length, plainLength, this.placeFiles.length]);
  }

  /** One entry more than there are closes each list, so that the last one ends where a next one would begin. */
  finish(): WantedRanges {
    this.ranges.pushAll([0, this.blobs.length / BLOB_WORDS]);
    this.blobs.pushAll([0, 0, 0, this.placeFiles.length]);
    return new WantedRanges({
      ranges: this.ranges.share(),
      blobs: this.blobs.share(),
      ids: this.ids.share(),
      placeFiles: this.placeFiles.share(),
      placePositions: this.placePositions.share(),
    });
  }
}
