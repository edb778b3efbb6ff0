import type { Clock } from '../foundation/clock.ts';
import type { HistoryFile, LogPosition, Stamp } from '../repository/index.ts';

/** A source whose log can be followed: what happens after a snapshot is captured as it happens. */
export interface LogSource {
  /**
   * Follows the log until the signal is aborted, over any number of connections; gives all of it to the sink, in order
   * and without a gap that the sink is not told of. Resolves when the signal was aborted.
   * @throws what trying again does not mend: source-refused, source-unsupported, source-changed; what the sink throws
   */
  follow(sink: LogSink, context: FollowContext): Promise<void>;
  /**
   * Finds where a recovery to a mark ends: the first record of it in a part of a log that is stored. It needs no server.
   * @returns where that record begins; undefined when there is none
   * @throws log-missing, repository-damaged, what reading it throws, the reason of the signal
   */
  findMark(mark: LogMark, log: SearchedLog): Promise<LogPosition | undefined>;
}

/** What a log may have that a person knows by its name: a transaction's number, or the name of a restore point. */
export type LogMark = { kind: 'xid'; xid: string } | { kind: 'name'; name: string };

/** A part of a stored log, over any number of timelines. */
export interface SearchedLog {
  /** Records that begin here, or behind it, and before `end`. */
  from: LogPosition;
  end: LogPosition;
  segmentBytes: number;
  signal: AbortSignal;
  /** A segment as the server had it; zeros where it is not there yet. */
  readSegment(timeline: number, start: bigint): Promise<Buffer>;
  /** The file that says how a timeline came about. */
  readHistory(timeline: number): Promise<Uint8Array | undefined>;
}

/**
 * Looks at a segment of a log that a server of this machine is about to replay; to be given all of them, in their order.
 * @throws target-unsuitable where the replay would write over what is not its own; repository-damaged
 */
export type LogGuard = (segment: LogPosition & { bytes: Uint8Array }) => Promise<void>;

export interface FollowContext {
  clock: Clock;
  signal: AbortSignal;
  /** How long the server may take to answer before the connection counts as lost. */
  silenceMs?: number;
  /** From how much on that the server keeps for us a person is told. */
  warnRetainedBytes: number;
  /** The server comes first: when it keeps more than this for us, it is told to keep nothing. */
  releaseRetainedBytes: number;
  /** How often what the server keeps is looked at. */
  lookEveryMs: number;
  /** What a person should know: a connection that was lost, a server that keeps much. */
  note(message: string): void;
  /** Where the server is, every now and then. */
  observe(observed: { serverLsn: bigint; serverMs: number }): void;
}

export interface LogCluster {
  /** What distinguishes it from every other one: decimal digits, 20 at most. */
  system: string;
  /** How long the segments of its log are; a stream has none. */
  segmentBytes?: number;
}

/** A part of the log that nobody has any more. */
export interface LogGap {
  timeline: number;
  start: bigint;
  end: bigint;
  reason: string;
}

/** What a server wrote, and the one that took its place had not got: commits that a failover lost. */
export interface LogLeft {
  timeline: number;
  /** Where the server of today left this timeline. */
  start: bigint;
  /** How far what was kept of it goes. */
  end: bigint;
  /** The timeline on which that server went on. */
  next: number;
}

/** Takes a log and makes it durable. */
export interface LogSink {
  /**
   * A connection to this cluster is about to be used. Whatever was taken before is kept.
   * @returns where to go on, of a stream a place where it may be cut; undefined when nothing of its log was ever kept
   */
  begin(cluster: LogCluster): Promise<LogPosition | undefined>;
  /**
   * Finds a timeline by the name that a history gave it.
   * @returns where it begins; undefined where none has it
   */
  find(alias: string): Promise<(LogPosition & { system: string }) | undefined>;
  /** What comes before it, on its timeline, is durable: only this may be acknowledged. */
  readonly durable: LogPosition | undefined;
  /** The end of what was taken, durable or not; or of a gap, where nothing was taken since. */
  readonly taken: LogPosition | undefined;
  /**
   * Takes the next bytes, which belong to it from here on.
   * @param stamps of a stream: where it may be cut within them, and when they had come by there
   * @returns when it would like to get more; undefined when at once
   */
  take(at: LogPosition, bytes: Buffer, stamps?: readonly Stamp[]): Promise<void> | undefined;
  /** By the server's clock, its log had nothing at that moment beyond what was taken. */
  covers(serverMs: number): void;
  /** A timeline begins; resolves once its history is durable. */
  history(timeline: number, file: HistoryFile): Promise<void>;
  /** Resolves once all that was taken is durable. */
  drain(): Promise<void>;
  /** The server was told to keep nothing more for us: what it has removed by the time that it is asked again is a gap. */
  released(retainedBytes: number): void;
  /** The server does not have the part any more that comes next; resolves once that is recorded. */
  gap(gap: LogGap): Promise<void>;
  /** The server goes on from before the end of what was taken; resolves once that is recorded. */
  left(left: LogLeft): Promise<void>;
  /** A backup must lead to what is taken from here on: where there is none, one is taken while the log is followed. */
  needsBackup(from: LogPosition): void;
}
