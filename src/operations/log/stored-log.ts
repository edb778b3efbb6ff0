import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type Covered,
  compareRanges,
  earlier,
  type IndexedRepository,
  isCovered,
  type LogPosition,
  type LogRange,
  LogTail,
  later,
  loadIndex,
  lsnText,
  mergeRanges,
  parseLsnText,
  Reader,
  type Repository,
  type StoredSnapshot,
  type TailEntry,
  type TailHistory,
  type TailListing,
} from '../../repository/index.ts';
import {
  type FoldedRange,
  foldedRanges,
  readWalFiles,
  segmentName,
  timelineDigits,
  type WalFiles,
} from './wal-snapshots.ts';

/** All that a repository holds of a source's log: in snapshots of segments, and in the tail. `close` ends what reads them. */
export class StoredLog {
  readonly tail: LogTail;
  readonly entries: readonly TailEntry[];
  readonly folded: readonly FoldedRange[];
  readonly histories: readonly TailHistory[];
  /** Keys below the place of the tail that are no names of what a tail has. */
  readonly others: readonly string[];
  readonly #repository: Repository;
  #indexed: Promise<IndexedRepository> | undefined;
  /** The snapshot read last: the next segment is mostly in it. */
  #opened: { reader: Reader; wal: WalFiles } | undefined;

  private constructor(
    repository: Repository,
    tail: LogTail,
    { entries, histories, others }: TailListing,
    folded: FoldedRange[],
  ) {
    this.#repository = repository;
    this.tail = tail;
    this.entries = entries;
    this.histories = histories;
    this.others = others;
    this.folded = folded;
  }

  /**
   * @param list gives the repository's snapshots; they are read after the tail is listed, since a fold makes its snapshot
   *   visible before it removes anything
   */
  static async read(
    repository: Repository,
    owner: { plan: string; source: string },
    list: () => Promise<readonly StoredSnapshot[]>,
  ): Promise<StoredLog> {
    const tail = new LogTail(repository, owner);
    const listed = await tail.list();
    return new StoredLog(repository, tail, listed, foldedRanges(await list(), owner.plan, owner.source));
  }

  /** The contiguous parts of a cluster's log. What is not in them is missing. */
  ranges(system: string): LogRange[] {
    return mergeRanges([...this.entries, ...this.folded].filter((each) => each.system === system).map(rangeOf));
  }

  /** The end of what is stored: of the newest timeline, and the last part of it. */
  positionOf(system: string): LogPosition | undefined {
    const last = this.ranges(system).at(-1);
    return last && { timeline: last.timeline, lsn: last.end };
  }

  /**
   * How far the log goes on without a gap from a position. Where a timeline was left for another one, it goes on there:
   * the first segment of a timeline begins with what the one before had of it.
   */
  reachFrom(system: string, { timeline, lsn }: LogPosition): LogPosition | undefined {
    const ranges = this.ranges(system);
    const first = ranges.find((range) => range.timeline === timeline && range.start <= lsn && lsn <= range.end);
    if (first === undefined) return undefined;
    let reached = first;
    for (const range of ranges) {
      if (range.timeline > reached.timeline && range.start <= reached.end) reached = range;
    }
    return { timeline: reached.timeline, lsn: reached.end };
  }

  /** Up to which moment, by the server's clock, all of the log up to a position is known to be there. */
  async coveredUntilMs(system: string, reached: LogPosition): Promise<number | undefined> {
    const isWithin = (range: LogRange & { system: string }): boolean =>
      range.system === system && range.timeline === reached.timeline && range.end <= reached.lsn;
    const moments = this.folded.filter(isWithin).flatMap(({ coveredMs = [] }) => coveredMs);
    const newest = await this.#newestMoment(this.entries.filter(isWithin));
    if (newest !== undefined) moments.push(newest);
    const covered = await readOrDamage(() => this.tail.readCovered());
    if (covered !== undefined && isReached(covered, system, reached)) moments.push(Date.parse(covered.coveredUntil));
    return moments.length === 0 ? undefined : Math.max(...moments);
  }

  /** Of the newest part that can be read and names one: a part that is damaged takes only its own moments with it. */
  async #newestMoment(entries: readonly TailEntry[]): Promise<number | undefined> {
    for (const entry of entries.toReversed()) {
      const coveredUntil = (await readOrDamage(() => this.tail.read(entry)))?.header.coveredUntil;
      if (coveredUntil != null) return Date.parse(coveredUntil);
    }
    return undefined;
  }

  /**
   * The bytes of a part of the log. What is damaged in one place is taken from another, where there is one.
   * @throws object-missing with the part that is not there; repository-damaged
   */
  async read(system: string, part: LogRange): Promise<Buffer> {
    const bytes = Buffer.alloc(Number(part.end - part.start));
    const filled: LogRange[] = [];
    const put = (range: LogRange, content: Uint8Array): void => {
      const start = later(range.start, part.start);
      const end = earlier(range.end, part.end);
      bytes.set(content.subarray(Number(start - range.start), Number(end - range.start)), Number(start - part.start));
      filled.push({ timeline: part.timeline, start, end });
    };
    const overlaps = (range: LogRange & { system: string }): boolean =>
      range.system === system && range.timeline === part.timeline && range.start < part.end && part.start < range.end;
    const isWhole = (): boolean => isCovered(part, mergeRanges(filled));
    let damage: unknown;
    const onDamage = (error: unknown): void => {
      damage ??= error;
    };
    for (const entry of this.entries.filter(overlaps)) {
      const read = await readOrDamage(() => this.tail.read(entry), onDamage);
      if (read !== undefined) put(entry, read.bytes);
    }
    if (isWhole()) return bytes;
    for (const folded of this.folded.filter(overlaps)) {
      await readOrDamage(() => this.#readFolded(folded, part, put), onDamage);
    }
    if (isWhole()) return bytes;
    if (damage !== undefined) throw damage;
    throw new HoldfastError(
      'object-missing',
      `the log of ${this.tail.owner.source} from ${lsnText(part.start)} to ${lsnText(part.end)} is not all in the repository`,
    );
  }

  /**
   * A segment as a server wants it: what of it is not there yet is zeros.
   * @throws object-missing when nothing of it is there from its beginning on
   */
  async readSegment(system: string, timeline: number, start: bigint, segmentBytes: number): Promise<Buffer> {
    const range = this.ranges(system).find(
      (each) => each.timeline === timeline && each.start <= start && start < each.end,
    );
    const whole = start + BigInt(segmentBytes);
    const end = range === undefined ? whole : earlier(range.end, whole);
    const segment = Buffer.alloc(segmentBytes);
    segment.set(await this.read(system, { timeline, start, end }));
    return segment;
  }

  /** The file that says how a timeline came about; undefined when there is none. @throws repository-damaged */
  async readHistory(system: string, timeline: number): Promise<Uint8Array | undefined> {
    const kept = this.histories.find((each) => each.system === system && each.timeline === timeline);
    if (kept !== undefined) return (await this.tail.readHistory(kept)).bytes;
    // Where a repository was copied, the tail was not.
    const name = `${timelineDigits(timeline)}.history`;
    for (const folded of this.folded.filter((each) => each.system === system).toReversed()) {
      const { reader, wal } = await this.#open(folded);
      const node = wal.files.get(name);
      if (node !== undefined) return reader.readWhole(node, HISTORY_LIMIT_BYTES);
    }
    return undefined;
  }

  /** How long the server's segments are; undefined when nothing of its log is there. @throws repository-damaged */
  async segmentBytes(system: string): Promise<number | undefined> {
    for (const entry of this.entries.filter((each) => each.system === system)) {
      const read = await readOrDamage(() => this.tail.read(entry));
      if (read !== undefined) return read.header.segmentBytes;
    }
    const folded = this.folded.find((each) => each.system === system);
    return folded && (await this.#open(folded)).wal.segmentBytes;
  }

  /** Ends what reads snapshots. */
  async close(): Promise<void> {
    await this.#opened?.reader.close();
    this.#opened = undefined;
  }

  async #open(folded: FoldedRange): Promise<{ reader: Reader; wal: WalFiles }> {
    if (this.#opened?.reader.id === folded.snapshot.id) return this.#opened;
    await this.close();
    this.#indexed ??= loadIndex(this.#repository);
    const reader = new Reader(await this.#indexed, folded.snapshot);
    try {
      this.#opened = { reader, wal: await readWalFiles(reader, folded) };
      return this.#opened;
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  async #readFolded(
    folded: FoldedRange,
    part: LogRange,
    put: (range: LogRange, content: Uint8Array) => void,
  ): Promise<void> {
    const { reader, wal } = await this.#open(folded);
    const { files, segmentBytes } = wal;
    const size = BigInt(segmentBytes);
    for (let start = folded.start; start < folded.end; start += size) {
      if (start >= part.end || start + size <= part.start) continue;
      const node = files.get(segmentName(folded.timeline, start, segmentBytes))!;
      put({ timeline: folded.timeline, start, end: start + size }, await reader.readWhole(node, segmentBytes));
    }
  }
}

/** A line for each timeline, and a word on why it began. */
const HISTORY_LIMIT_BYTES = 1024 * 1024;

const READ_ATTEMPTS = 5;

/** Reads anew when a part of the log that was there is not any more: a fold put it into a snapshot meanwhile. */
export async function againAfterFold<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === READ_ATTEMPTS || !isHoldfastError(error, 'object-missing')) throw error;
    }
  }
}

/** @returns undefined for what is damaged, of which `onDamage` is told */
async function readOrDamage<T>(read: () => Promise<T>, onDamage?: (error: unknown) => void): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    onDamage?.(error);
    return undefined;
  }
}

function rangeOf({ timeline, start, end }: LogRange): LogRange {
  return { timeline, start, end };
}

function isReached(covered: Covered, system: string, reached: LogPosition): boolean {
  if (covered.system !== system) return false;
  const at = { timeline: covered.timeline, start: parseLsnText(covered.lsn), end: reached.lsn };
  return compareRanges(at, { timeline: reached.timeline, start: reached.lsn, end: reached.lsn }) <= 0;
}
