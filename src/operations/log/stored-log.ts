import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import {
  type Covered,
  compareRanges,
  earlier,
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
} from '../../repository/index.ts';
import { type FoldedRange, foldedRanges, segmentName } from './wal-snapshots.ts';

/** All that a repository holds of a source's log: in snapshots of segments, and in the tail. */
export class StoredLog {
  readonly tail: LogTail;
  readonly entries: readonly TailEntry[];
  readonly folded: readonly FoldedRange[];
  readonly histories: readonly TailHistory[];
  readonly #repository: Repository;

  private constructor(
    repository: Repository,
    tail: LogTail,
    { entries, histories }: { entries: TailEntry[]; histories: TailHistory[] },
    folded: FoldedRange[],
  ) {
    this.#repository = repository;
    this.tail = tail;
    this.entries = entries;
    this.histories = histories;
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

  /**
   * Up to which moment, by the server's clock, all of the log up to a position is known to be there.
   * @throws repository-damaged
   */
  async coveredUntilMs(system: string, reached: LogPosition): Promise<number | undefined> {
    const isWithin = (range: LogRange & { system: string }): boolean =>
      range.system === system && range.timeline === reached.timeline && range.end <= reached.lsn;
    const moments = this.folded.filter(isWithin).map(({ snapshot }) => snapshotTimeMs(snapshot));
    const newest = this.entries.filter(isWithin).at(-1);
    if (newest !== undefined) {
      const { coveredUntil } = (await this.tail.read(newest)).header;
      if (coveredUntil !== null) moments.push(Date.parse(coveredUntil));
    }
    const covered = await this.tail.readCovered();
    if (covered !== undefined && isReached(covered, system, reached)) moments.push(Date.parse(covered.coveredUntil));
    return moments.length === 0 ? undefined : Math.max(...moments);
  }

  /**
   * The bytes of a part of the log.
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
    for (const entry of this.entries.filter(overlaps)) put(entry, (await this.tail.read(entry)).bytes);
    for (const folded of this.folded.filter(overlaps)) await this.#readFolded(folded, part, put);
    const [whole] = mergeRanges(filled);
    if (whole?.start === part.start && whole.end === part.end) return bytes;
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

  async #readFolded(
    folded: FoldedRange,
    part: LogRange,
    put: (range: LogRange, content: Uint8Array) => void,
  ): Promise<void> {
    const reader = new Reader(await loadIndex(this.#repository), folded.snapshot);
    try {
      const segmentBytes = await segmentBytesOf(reader, folded);
      const size = BigInt(segmentBytes);
      for (let start = folded.start; start < folded.end; start += size) {
        if (start >= part.end || start + size <= part.start) continue;
        const node = await reader.find(`/wal/${segmentName(folded.timeline, start, segmentBytes)}`);
        if (node === undefined) throw lacksSegment(folded);
        put({ timeline: folded.timeline, start, end: start + size }, await reader.readWhole(node, segmentBytes));
      }
    } finally {
      await reader.close();
    }
  }
}

/** Every file of such a snapshot is one segment. */
async function segmentBytesOf(reader: Reader, folded: FoldedRange): Promise<number> {
  const directory = await reader.find('/wal');
  const files = directory?.subtree === undefined ? [] : await reader.entries(directory.subtree);
  const size = Number(files.find(({ name }) => !name.endsWith('.history'))?.size ?? 0);
  if (size > 0 && (folded.end - folded.start) % BigInt(size) === 0n) return size;
  throw lacksSegment(folded);
}

function lacksSegment({ snapshot }: FoldedRange): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `snapshot ${snapshot.id.slice(0, 8)} lacks a segment that its tag names`,
  );
}

function rangeOf({ timeline, start, end }: LogRange): LogRange {
  return { timeline, start, end };
}

function isReached(covered: Covered, system: string, reached: LogPosition): boolean {
  if (covered.system !== system) return false;
  const at = { timeline: covered.timeline, start: parseLsnText(covered.lsn), end: reached.lsn };
  return compareRanges(at, { timeline: reached.timeline, start: reached.lsn, end: reached.lsn }) <= 0;
}
