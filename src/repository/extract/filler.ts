import { closeSync, openSync } from 'node:fs';
import type { SealingKey } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { readAt } from '../../foundation/read-at.ts';
import { BlobOpener, type OpenableBlob, type SealedBlob } from '../read/blob-opener.ts';
import { FileTable, type SharedFileTable } from './file-table.ts';
import { type FileProblem, FileWriter } from './file-writer.ts';
import { GatheredWrites } from './gathered-writes.ts';
import { type SharedToSync, SyncTeller } from './sync-along.ts';
import { type SharedRanges, type WantedBlob, type WantedRange, WantedRanges } from './wanted.ts';

/** What the threads that fill files share. */
export interface SharedFilling {
  files: SharedFileTable;
  /** Where the system is to begin at once to write files to the disk. */
  toSync: SharedToSync | undefined;
  wanted: SharedRanges;
  /** How many places of each file are still to be written: who writes the last one finishes the file. */
  missing: Int32Array;
  /** See the cells below. */
  control: Int32Array;
  /** One cell: how many plain bytes are written. */
  writtenBytes: BigInt64Array;
  /** The ids of the index's packs, and where the packs lie as files, where they do. */
  packs: { id: string; file: string | undefined }[];
}

/** What is left of a range: its blobs from this one on. */
export interface UnreadRange {
  number: number;
  from: number;
}

/** Cells of `control`: how many ranges are taken in all, at the start and at the end, and whether the work was stopped. */
const TAKEN = 0;
const TAKEN_FROM_START = 1;
const TAKEN_FROM_END = 2;
export const STOPPED = 3;
export const CONTROL_CELLS = 4;

/** Fills files with what ranges of packs hold: one thread's part of it. Nothing is made anew for each blob. */
export class Filler {
  readonly #shared: SharedFilling;
  readonly #wanted: WantedRanges;
  readonly #opener: BlobOpener;
  readonly #writer: FileWriter;
  readonly #gathered: GatheredWrites;
  #room = Buffer.alloc(0);
  /** The one that was read last. */
  #pack: { path: string; descriptor: number } | undefined;
  /** The blob at work, for errors. */
  present: string | undefined;
  /** The number of the blob at work: up to it a range is done. */
  at = 0;

  readonly #fromEnd: boolean;

  /**
   * @param fromEnd whether it takes the last ranges first: two threads that write to one large file wait for each other, and
   *   from both ends they seldom do
   */
  constructor(key: SealingKey, shared: SharedFilling, fromEnd = false) {
    this.#shared = shared;
    this.#fromEnd = fromEnd;
    this.#wanted = new WantedRanges(shared.wanted);
    this.#opener = new BlobOpener(key);
    this.#writer = new FileWriter(new FileTable(shared.files), shared.toSync && new SyncTeller(shared.toSync));
    this.#gathered = new GatheredWrites(this.#writer, shared.missing);
  }

  /** What could not be set on files. */
  get problems(): FileProblem[] {
    return this.#writer.problems;
  }

  /**
   * Takes ranges until there are none left or somebody stopped the work, reading packs as files.
   * @returns the ranges that cannot be read this way
   */
  fillAll(): UnreadRange[] {
    const unread: UnreadRange[] = [];
    while (this.fillNext(unread));
    return unread;
  }

  /**
   * Takes the next range. A failure stops everybody's work.
   * @param unread takes what is left of it where it cannot be read this way
   * @returns whether there was one
   */
  fillNext(unread: UnreadRange[]): boolean {
    const { control, packs } = this.#shared;
    if (Atomics.load(control, STOPPED) !== 0) return false;
    const number = this.#take(control);
    if (number === undefined) return false;
    try {
      const { pack, offset, length, firstBlob } = this.#wanted.range(number);
      const sealed = this.#read(packs[pack]!.file!, offset, length);
      if (sealed === undefined) unread.push({ number, from: firstBlob });
      else this.fillUndamaged({ number, from: firstBlob }, sealed, unread);
      return true;
    } catch (error) {
      Atomics.store(control, STOPPED, 1);
      throw error;
    }
  }

  /** A range that nobody else takes: there are as many takings as ranges, so that both ends never meet. */
  #take(control: Int32Array): number | undefined {
    const { count } = this.#wanted;
    const taken = Atomics.add(control, TAKEN, 1);
    if (taken >= count) return undefined;
    if (this.#fromEnd) return count - 1 - Atomics.add(control, TAKEN_FROM_END, 1);
    return Atomics.add(control, TAKEN_FROM_START, 1);
  }

  /** Fills a range until something in it is damaged: what is left of it then comes to `unread`. */
  fillUndamaged(range: UnreadRange, sealed: Uint8Array, unread: UnreadRange[]): void {
    try {
      this.fill(range, sealed);
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      this.#writer.standAll();
      unread.push({ number: range.number, from: this.at });
    }
  }

  /**
   * Opens the blobs of a range and writes them where they belong. After a failure, `at` is the blob that it came to: those
   * before it are done, and must not be done again.
   * @param sealed the bytes of the range, or of the part of it that `from` is in, used up
   */
  fill(
    { number, from }: UnreadRange,
    sealed: Uint8Array,
    { pack, offset, endBlob }: WantedRange = this.#wanted.range(number),
  ): void {
    const packId = this.#shared.packs[pack]!.id;
    const sealedBlob = (at: number): (SealedBlob & { blob: WantedBlob }) | undefined => {
      if (at === endBlob) return undefined;
      const blob = this.#wanted.blob(at);
      const start = blob.offset - offset;
      return { sealed: sealed.subarray(start, start + blob.length), blob: { ...blob, pack: packId } };
    };
    let written = 0;
    const place = (blob: WantedBlob, open: () => Buffer): void => {
      this.present = Buffer.from(blob.id).toString('hex');
      written += this.#place(blob, open());
      this.at++;
    };
    this.at = from;
    try {
      for (let first = sealedBlob(from); first !== undefined; ) {
        const [one, second] = [first, sealedBlob(this.at + 1)];
        this.#reserve(one.blob, second?.blob);
        const both = second && this.#opener.openBoth(one, second);
        place(one.blob, () => both?.[0] ?? this.#opener.open(one.sealed, one.blob));
        if (both) place(second.blob, () => both[1]);
        first = both ? sealedBlob(this.at) : second;
      }
    } finally {
      this.#gathered.flush();
    }
    this.present = undefined;
    Atomics.add(this.#shared.writtenBytes, 0, BigInt(written));
  }

  /** Closes what is open. */
  end(): void {
    this.#closePack();
    this.#writer.closeAll();
  }

  #reserve(...blobs: (OpenableBlob | undefined)[]): void {
    const rooms = this.#gathered.reserve(blobs.map((blob) => blob?.uncompressedLength ?? 0));
    for (const [at, blob] of blobs.entries()) if (blob) blob.into = rooms[at];
  }

  #place(blob: WantedBlob, plain: Buffer): number {
    const zero = isZero(plain);
    for (let place = blob.firstPlace; place < blob.endPlace; place++) {
      const [file, position] = [this.#wanted.file(place), this.#wanted.position(place)];
      if (zero) this.#gathered.addZeros(file, position, plain);
      else this.#gathered.add(file, position, plain);
    }
    return plain.length * (blob.endPlace - blob.firstPlace);
  }

  /** Bytes of a pack, valid until the next call; undefined when they cannot be had: whoever asks the store is told why. */
  #read(path: string, offset: number, length: number): Uint8Array | undefined {
    if (this.#room.length < length) this.#room = Buffer.allocUnsafeSlow(length);
    try {
      const bytes = readAt(this.#openPack(path), this.#room.subarray(0, length), offset);
      return bytes.length === length ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  /** The ranges of a pack follow each other. */
  #openPack(path: string): number {
    if (this.#pack?.path !== path) {
      this.#closePack();
      this.#pack = { path, descriptor: openSync(path, 'r') };
    }
    return this.#pack.descriptor;
  }

  #closePack(): void {
    if (this.#pack !== undefined) closeSync(this.#pack.descriptor);
    this.#pack = undefined;
  }
}

const ZEROS = Buffer.alloc(64 * 1024);

function isZero(plain: Buffer): boolean {
  for (let at = 0; at < plain.length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, plain.length);
    if (plain.compare(ZEROS, 0, end - at, at, end) !== 0) return false;
  }
  return true;
}
