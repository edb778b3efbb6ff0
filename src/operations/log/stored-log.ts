import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type Covered,
  compareRanges,
  decodeStamps,
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
  type Stamp,
  type StoredSnapshot,
  stampsWithin,
  type TailEntry,
  type TailHistory,
  type TailListing,
} from '../../repository/index.ts';
import { type FoldedRange, foldedRanges, readWalFiles, timelineDigits, type WalFiles } from './wal-snapshots.ts';

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
  reachFrom(system: string, from: LogPosition): LogPosition | undefined {
    const reached = this.pathFrom(system, from).at(-1);
    return reached && { timeline: reached.timeline, lsn: reached.end };
  }

  /** The parts of timelines that the log goes on through without a gap from a position, each up to where the next one begins. */
  pathFrom(system: string, { timeline, lsn }: LogPosition): LogRange[] {
    const ranges = this.ranges(system);
    const first = ranges.find((range) => range.timeline === timeline && range.start <= lsn && lsn <= range.end);
    if (first === undefined) return [];
    const path = [{ ...first, start: lsn }];
    for (const range of ranges) {
      const reached = path.at(-1)!;
      if (range.timeline <= reached.timeline || range.start > reached.end) continue;
      reached.end = later(reached.start, range.start);
      path.push({ ...range, start: later(range.start, reached.start) });
    }
    return path;
  }

  /**
   * Where a system that a backup names lies here: a backup that was taken behind a failover may take a later timeline of a
   * system for the first one of another.
   * @throws repository-damaged
   */
  async locate(place: SystemPosition): Promise<SystemPosition> {
    if (this.ranges(place.system).length > 0) return place;
    const found = await this.find(place.system);
    return found === undefined ? place : { system: found.system, timeline: found.timeline, lsn: place.lsn };
  }

  /** The newest timeline that has this name, and where it begins. @throws repository-damaged */
  async find(alias: string): Promise<SystemPosition | undefined> {
    for (const { system, timeline, ...history } of this.histories.toReversed()) {
      const { named } = await this.tail.readHistory({ system, timeline, ...history });
      if (named?.alias === alias) return { system, timeline, lsn: named.begin };
    }
    return undefined;
  }

  /** The end of what was stored last, of whatever system. @throws repository-damaged */
  async newestEnd(): Promise<SystemPosition | undefined> {
    const ends = await Promise.all(
      [...new Set([...this.entries, ...this.folded].map(({ system }) => system))].map(async (system) => {
        const last = this.entries.findLast((each) => each.system === system);
        const written = last === undefined ? undefined : (await this.tail.read(last)).header.writtenAt;
        const folded = this.folded
          .filter((each) => each.system === system)
          .map((each) => snapshotTimeMs(each.snapshot));
        return { system, ...this.positionOf(system)!, ms: Math.max(Date.parse(written ?? '') || 0, ...folded) };
      }),
    );
    return ends.sort((a, b) => a.ms - b.ms).at(-1);
  }

  /**
   * Where whoever writes a stream goes on: behind the last place that it may be cut at, since nobody knows what state it is in
   * at others. Its bytes behind that are then stored twice. Where nothing else is known, a stream may be cut where it begins.
   */
  async lastStamp(system: string): Promise<LogPosition | undefined> {
    const ranges = this.ranges(system);
    for (const range of ranges.toReversed()) {
      for await (const stamps of this.#stampsOf(system, range, 'newest first')) {
        const last = stamps.at(-1);
        if (last !== undefined) return { timeline: range.timeline, lsn: last.lsn };
      }
    }
    return ranges[0] && { timeline: ranges[0].timeline, lsn: ranges[0].start };
  }

  /**
   * The places behind a position where a stream may be cut, in its order, as far as it goes on without a gap.
   * @throws repository-damaged
   */
  async *stampsFrom(system: string, from: LogPosition): AsyncGenerator<Stamp & { timeline: number }> {
    for (const range of this.pathFrom(system, from)) {
      let at = range.start;
      for await (const stamps of this.#stampsOf(system, range, 'oldest first')) {
        for (const stamp of stamps) {
          if (stamp.lsn <= at) continue;
          at = stamp.lsn;
          yield { ...stamp, timeline: range.timeline };
        }
      }
    }
  }

  /** Those within a part of a stream, in its order. @throws repository-damaged */
  async stampsIn(system: string, range: LogRange): Promise<Stamp[]> {
    const found: Stamp[] = [];
    for await (const stamps of this.#stampsOf(system, range, 'oldest first')) {
      const last = found.at(-1)?.lsn ?? range.start;
      found.push(...stamps.filter(({ lsn }) => lsn > last));
    }
    return found;
  }

  /** Of a stream, part by part, those within a range; the parts may overlap. */
  async *#stampsOf(
    system: string,
    range: LogRange,
    order: 'oldest first' | 'newest first',
  ): AsyncGenerator<readonly Stamp[]> {
    const overlaps = (each: LogRange & { system: string }): boolean =>
      each.system === system && each.timeline === range.timeline && each.start < range.end && range.start < each.end;
    const places = [...this.folded.filter(overlaps), ...this.entries.filter(overlaps)].sort(compareRanges);
    if (order === 'newest first') places.reverse();
    for (const place of places) {
      const stamps = 'key' in place ? (await this.tail.read(place)).stamps : await this.#readStamps(place);
      yield stampsWithin(stamps, range);
    }
  }

  async #readStamps(folded: FoldedRange): Promise<Stamp[]> {
    const { reader, wal } = await this.#open(folded);
    const stamps: Stamp[] = [];
    for (const part of wal.parts) {
      if (part.stamps === undefined) continue;
      for (const stamp of decodeStamps(await reader.readWhole(part.stamps, STAMPS_LIMIT_BYTES))) stamps.push(stamp);
    }
    return stamps;
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

  /** How long the server's segments are; undefined of a stream, and when nothing of its log is there. @throws repository-damaged */
  async segmentBytes(system: string): Promise<number | undefined> {
    for (const entry of this.entries.filter((each) => each.system === system)) {
      const read = await readOrDamage(() => this.tail.read(entry));
      if (read !== undefined) return read.header.kind === 'log' ? read.header.segmentBytes : undefined;
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
    for (const each of wal.parts) {
      if (each.timeline !== part.timeline || each.start >= part.end || each.end <= part.start) continue;
      put(each, await reader.readWhole(each.node, Number(each.end - each.start)));
    }
  }
}

/** A position in one of several logs. */
export interface SystemPosition extends LogPosition {
  system: string;
}

/** More lines than a part of 16 MiB can have. */
const STAMPS_LIMIT_BYTES = 512 * 1024 * 1024;

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
