import type { Clock } from '../../foundation/clock.ts';
import { messageOf } from '../../foundation/errors.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import { formatSize } from '../../foundation/units.ts';
import {
  type HistoryFile,
  type LogPosition,
  type LogTail,
  lsnText,
  type SealedObject,
  type Stamp,
} from '../../repository/index.ts';
import type { LogCluster, LogGap, LogLeft, LogSink } from '../../source/index.ts';
import { isOutage, throughOutages } from './outages.ts';
import type { Spool } from './spool.ts';

/** So much is put into one object at most, and so much more is taken while that one is stored. */
const OBJECT_BYTES = 16 * 1024 * 1024;
/** While nothing happens, it is written down that nothing does: not as often as what does is. */
const COVERED_EVERY = 2;

/** A part of the log on its way. */
interface Batch {
  start: LogPosition;
  parts: Buffer[];
  bytes: number;
  stamps: Stamp[];
}

/** The same, sealed. */
interface SealedPart {
  object: SealedObject;
  end: LogPosition;
  coveredMs: number | undefined;
  bytes: number;
}

type SpooledPart = Omit<SealedPart, 'object'> & { key: string };

export interface TailWriterOptions {
  clock: Clock;
  signal: AbortSignal;
  /** How often what came is made durable. */
  everyMs: number;
  /** Where the log waits while the repository is away; without one, with the server alone. */
  spool?: Spool | undefined;
  /** Where to go on behind what is stored of a cluster's log. */
  positionOf(cluster: LogCluster): Promise<LogPosition | undefined>;
  /** See `LogSink`. */
  find: LogSink['find'];
  needsBackup: LogSink['needsBackup'];
  recordGap(cluster: LogCluster, gap: LogGap): Promise<void>;
  recordLeft(cluster: LogCluster, left: LogLeft): Promise<void>;
  recordRelease(retainedBytes: number): void;
  note(message: string): void;
}

/**
 * Makes a log durable in a repository's tail, object after object in the order of the log: a process that dies leaves no
 * hole. Two objects' worth of memory is the most that it takes.
 */
export class TailWriter implements LogSink {
  readonly #tail: LogTail;
  readonly #options: TailWriterOptions;
  #cluster: LogCluster | undefined;
  #open: Batch | undefined;
  #durable: LogPosition | undefined;
  #taken: LogPosition | undefined;
  /** The newest moment of which it is known that all is here, and of which position. */
  #covered: { at: LogPosition; serverMs: number } | undefined;
  /** What of that is in the repository, and since when. */
  #written = { serverMs: 0, atMs: Number.NEGATIVE_INFINITY, bytes: 0 };
  /** Writes come one after the other, whoever asks. */
  #turn: Promise<void> = Promise.resolve();
  #failure: unknown;
  #isWritingCovered = false;
  /** What is in the spool, in the order of the log. */
  readonly #spooled: SpooledPart[] = [];
  #unspooling: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(tail: LogTail, options: TailWriterOptions) {
    this.#tail = tail;
    this.#options = options;
    this.#timer = setInterval(() => awaitedLater(this.drain()), options.everyMs);
  }

  get durable(): LogPosition | undefined {
    return this.#durable;
  }

  get taken(): LogPosition | undefined {
    return this.#taken;
  }

  get cluster(): LogCluster | undefined {
    return this.#cluster;
  }

  /** When the repository last took something, by the clock that never goes back; up to which moment it holds all; how much it took. */
  get written(): Readonly<{ serverMs: number; atMs: number; bytes: number }> {
    return this.#written;
  }

  async begin(cluster: LogCluster): Promise<LogPosition | undefined> {
    await this.#swap();
    if (this.#cluster === undefined) await this.#storeLeftOver();
    else if (this.#cluster.system !== cluster.system) await this.drain();
    if (this.#cluster?.system !== cluster.system) {
      this.#durable = await this.#options.positionOf(cluster);
      this.#taken = this.#durable;
      this.#covered = undefined;
    }
    this.#cluster = cluster;
    return this.#taken;
  }

  find(alias: string): ReturnType<LogSink['find']> {
    return this.#options.find(alias);
  }

  needsBackup(from: LogPosition): void {
    this.#options.needsBackup(from);
  }

  take(at: LogPosition, bytes: Buffer, stamps: readonly Stamp[] = []): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const isNext = this.#taken?.timeline === at.timeline && this.#taken.lsn === at.lsn;
    // Of another timeline, or behind a gap: what is open ends here.
    if (this.#open !== undefined && !isNext) awaitedLater(this.#swap());
    this.#open ??= { start: at, parts: [], bytes: 0, stamps: [] };
    this.#open.parts.push(bytes);
    for (const stamp of stamps) addStamp(this.#open.stamps, stamp);
    this.#open.bytes += bytes.length;
    this.#taken = { timeline: at.timeline, lsn: at.lsn + BigInt(bytes.length) };
    if (this.#open.bytes < OBJECT_BYTES) return undefined;
    // The next object may fill up while this one is stored, as soon as the one before it is.
    const before = this.#turn;
    awaitedLater(this.#swap());
    return before;
  }

  covers(serverMs: number): void {
    if (this.#taken !== undefined) this.#covered = { at: this.#taken, serverMs };
  }

  async history(timeline: number, file: HistoryFile): Promise<void> {
    await this.drain();
    await this.#persist(() => this.#tail.writeHistory(this.#cluster!.system, timeline, file));
  }

  async gap(gap: LogGap): Promise<void> {
    await this.drain();
    await this.#persist(() => this.#options.recordGap(this.#cluster!, gap));
    this.#taken = { timeline: gap.timeline, lsn: gap.end };
    this.#covered = undefined;
  }

  async left(left: LogLeft): Promise<void> {
    await this.#persist(() => this.#options.recordLeft(this.#cluster!, left));
  }

  released(retainedBytes: number): void {
    this.#options.recordRelease(retainedBytes);
  }

  /** Resolves once everything that was taken is durable. @throws what storing it met, unless that may pass */
  async drain(): Promise<void> {
    await this.#swap();
    if (this.#spooled.length > 0) await this.#storeSpooled();
    await this.#writeCovered();
  }

  /** Makes what was taken durable, if the repository takes it now, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#swap();
    if (this.#spooled.length === 0) return this.#writeCovered();
    const { spool, note } = this.#options;
    await settled(this.#storeSpooled());
    if (spool!.bytes > 0) note(`${formatSize(spool!.bytes)} of the log are in the spool, for the next run to store`);
  }

  /** Begins to store what is open. */
  #swap(): Promise<void> {
    const batch = this.#open;
    const covered = this.#covered;
    if (batch === undefined) return this.#turn;
    this.#open = undefined;
    const end = { timeline: batch.start.timeline, lsn: batch.start.lsn + BigInt(batch.bytes) };
    const turn = this.#turn.then(() => this.#write(batch, end, covered?.serverMs));
    // Whoever takes or drains next is told.
    turn.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#turn = turn;
    return turn;
  }

  async #write(batch: Batch, end: LogPosition, coveredMs: number | undefined): Promise<void> {
    const { system, segmentBytes } = this.#cluster!;
    const { timeline, lsn: start } = batch.start;
    const object = this.#tail.sealLog(
      { timeline, start, end: end.lsn },
      {
        system,
        segmentBytes,
        coveredUntil: coveredMs === undefined ? null : new Date(coveredMs).toISOString(),
        writtenAt: new Date(this.#options.clock.nowMs()).toISOString(),
      },
      Buffer.concat(batch.parts),
      batch.stamps,
    );
    batch.parts = [];
    await this.#store({ object, end, coveredMs, bytes: batch.bytes });
  }

  async #store(part: SealedPart): Promise<void> {
    const { spool, note } = this.#options;
    if (spool === undefined) {
      await this.#persist(() => this.#tail.write(part.object));
      this.#stored(part);
      return;
    }
    if (this.#spooled.length === 0) {
      try {
        await this.#tail.write(part.object);
        this.#stored(part);
        return;
      } catch (error) {
        if (!isOutage(error)) throw error;
        note(`the repository does not take the log, which is put into the spool: ${messageOf(error)}`);
      }
    }
    if (await this.#isSpooled(spool, part.object)) {
      const { object, ...rest } = part;
      this.#spooled.push({ key: object.key, ...rest });
      awaitedLater(this.#storeSpooled());
      return;
    }
    await this.#storeSpooled();
    await this.#persist(() => this.#tail.write(part.object));
    this.#stored(part);
  }

  /** Whether the spool took it. One that is full, or whose disk is, keeps nobody from waiting for the repository. */
  async #isSpooled(spool: Spool, object: SealedObject): Promise<boolean> {
    const { note } = this.#options;
    if (!spool.hasRoomFor(object)) {
      note(`the spool is full with ${formatSize(spool.bytes)}: the log waits on the server alone`);
      return false;
    }
    try {
      await spool.add(object);
      return true;
    } catch (error) {
      if (!isOutage(error)) throw error;
      note(`the spool does not take the log: ${messageOf(error)}`);
      return false;
    }
  }

  #stored({ end, coveredMs, bytes }: Pick<SealedPart, 'end' | 'coveredMs' | 'bytes'>): void {
    this.#durable = end;
    this.#wrote(coveredMs, bytes);
  }

  /** Brings what is in the spool into the repository, as soon as that takes it, in order. */
  #storeSpooled(): Promise<void> {
    this.#unspooling ??= this.#unspool().finally(() => {
      this.#unspooling = undefined;
    });
    return this.#unspooling;
  }

  async #unspool(): Promise<void> {
    const spool = this.#options.spool!;
    for (let next = this.#spooled[0]; next !== undefined; next = this.#spooled[0]) {
      const object = await spool.read(next.key);
      await this.#persist(() => this.#tail.write(object));
      this.#stored(next);
      await spool.remove(next.key);
      this.#spooled.shift();
    }
  }

  /** What a run that was interrupted while the repository was away has left in the spool. */
  async #storeLeftOver(): Promise<void> {
    const { spool } = this.#options;
    for (const key of spool?.keys ?? []) {
      const object = await spool!.read(key);
      await this.#persist(() => this.#tail.writeLater(object));
      await spool!.remove(key);
    }
  }

  /** That nothing happened is worth knowing, too: without it an idle database would look like one that is not followed. */
  async #writeCovered(): Promise<void> {
    const { clock, everyMs } = this.#options;
    const covered = this.#covered;
    if (this.#isWritingCovered || this.#open !== undefined || covered?.at !== this.#taken) return;
    if (
      covered === undefined ||
      covered.serverMs <= this.#written.serverMs ||
      clock.monotonicMs() - this.#written.atMs < COVERED_EVERY * everyMs
    )
      return;
    const { timeline, lsn } = covered.at;
    const coveredUntil = new Date(covered.serverMs).toISOString();
    const { system } = this.#cluster!;
    this.#isWritingCovered = true;
    try {
      await this.#persist(() => this.#tail.writeCovered({ system, timeline, lsn: lsnText(lsn), coveredUntil }));
    } finally {
      this.#isWritingCovered = false;
    }
    this.#wrote(covered.serverMs, 0);
  }

  #wrote(serverMs: number | undefined, bytes: number): void {
    this.#written = {
      serverMs: serverMs ?? this.#written.serverMs,
      atMs: this.#options.clock.monotonicMs(),
      bytes: this.#written.bytes + bytes,
    };
  }

  /** Tries until the repository takes it, however long it is away: the server keeps what is not acknowledged. */
  #persist(work: () => Promise<void>): Promise<void> {
    return throughOutages('the repository does not take the log', this.#options, work);
  }
}

/** Of what came in one millisecond, only the last place matters. */
function addStamp(stamps: Stamp[], stamp: Stamp): void {
  const isLate = stamp.isLate === true || (stamps.at(-1)?.ms === stamp.ms && stamps.pop()!.isLate === true);
  stamps.push(isLate ? { ...stamp, isLate } : stamp);
}
