import { earlier, type LogPosition, type LogRange, later } from '../../repository/index.ts';
import type { LogFiles } from '../../sandbox/index.ts';
import type { LogGuard } from '../../source/index.ts';
import { PatientLog } from './patient-log.ts';
import type { StoredLog } from './stored-log.ts';
import { segmentName, timelineDigits } from './wal-snapshots.ts';

const SEGMENT = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;
const HISTORY = /^([0-9A-F]{8})\.history$/;

/** What is stored of a cluster's log, as a server asks for it. */
export class StoredLogFiles implements LogFiles {
  readonly #log: PatientLog;
  /** As it was when the recovery was planned: what is missing later is no end of the log. */
  readonly #ranges: readonly LogRange[];
  readonly #system: string;
  readonly #segmentBytes: number;
  readonly #end: LogPosition;
  readonly #guard: LogGuard | undefined;

  /**
   * @param end nothing behind it is given, even where there is more
   * @param guard looks at every segment before it is given
   * @param reload reads again what there is: a fold moves parts of the log while they are read
   */
  constructor(
    log: StoredLog,
    { system, segmentBytes, end, guard }: { system: string; segmentBytes: number; end: LogPosition; guard?: LogGuard },
    reload: () => Promise<StoredLog>,
    patience: { signal: AbortSignal; note(message: string): void },
  ) {
    this.#log = new PatientLog(log, reload, patience);
    this.#ranges = log.ranges(system);
    this.#system = system;
    this.#segmentBytes = segmentBytes;
    this.#end = end;
    this.#guard = guard;
  }

  /** A repository that is away is waited for: to the server it takes longer, and nothing else. */
  async read(name: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#log.read((log) => this.#read(log, name));
    const segment = this.#parse(name);
    if (bytes !== undefined && segment !== undefined) await this.#guard?.({ ...segment, bytes });
    return bytes;
  }

  following(name: string): string | undefined {
    const segment = this.#parse(name);
    return segment && segmentName(segment.timeline, segment.lsn + BigInt(this.#segmentBytes), this.#segmentBytes);
  }

  /** The names of all that may be there from the segment of a position on: histories, and then segments in their order. */
  names(from: bigint): string[] {
    const size = BigInt(this.#segmentBytes);
    const names: string[] = [];
    for (let timeline = 2; timeline <= this.#end.timeline; timeline++)
      names.push(`${timelineDigits(timeline)}.history`);
    for (const { timeline, start, end } of this.#ranges.filter((range) => range.timeline <= this.#end.timeline)) {
      const until = earlier(end, this.#end.lsn);
      for (let at = later(start, from) - (later(start, from) % size); at < until; at += size) {
        if (at >= start) names.push(segmentName(timeline, at, this.#segmentBytes));
      }
    }
    return names;
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  async #read(log: StoredLog, name: string): Promise<Uint8Array | undefined> {
    const timeline = HISTORY.exec(name)?.[1];
    if (timeline !== undefined) return log.readHistory(this.#system, Number.parseInt(timeline, 16));
    const segment = this.#parse(name);
    if (segment === undefined || segment.lsn >= this.#end.lsn || segment.timeline > this.#end.timeline)
      return undefined;
    const isThere = this.#ranges.some(
      (range) => range.timeline === segment.timeline && range.start <= segment.lsn && segment.lsn < range.end,
    );
    if (!isThere) return undefined;
    return log.readSegment(this.#system, segment.timeline, segment.lsn, this.#segmentBytes);
  }

  #parse(name: string): LogPosition | undefined {
    const match = SEGMENT.exec(name);
    if (match === null) return undefined;
    const [timeline, id, number] = match.slice(1).map((digits) => Number.parseInt(digits, 16));
    return { timeline: timeline!, lsn: (BigInt(id!) << 32n) + BigInt(number!) * BigInt(this.#segmentBytes) };
  }
}
