import { HoldfastError, isHoldfastError, messageOf } from '../../../foundation/errors.ts';
import { awaitedLater, settled } from '../../../foundation/promises.ts';
import { formatSize } from '../../../foundation/units.ts';
import { type LogPosition, lsnText, parseLsnText } from '../../../repository/index.ts';
import { type FollowContext, type LogSink, overConnections } from '../../index.ts';
import { type Location, labelOf } from '../location.ts';
import { inspectCluster } from '../physical/cluster.ts';
import { openReplication } from '../physical/replication.ts';
import { Session } from '../session.ts';
import { readStandby } from '../standby.ts';
import { LogReceiver } from './receive.ts';
import { segmentStart } from './segments.ts';
import { dropSlot, dropUnusedSlot, ensureSlot, inspectSlot, OBJECT_IN_USE, type SlotState } from './slot.ts';
import { StandbyWatch } from './standby-watch.ts';
import { WalStream } from './stream.ts';
import { nextTimeline, parseHistory } from './timeline-history.ts';

const STATUS_EVERY_MS = 1000;
const LOOK_AT_PRIMARY_EVERY_MS = 5000;
const SILENCE_MS = 60_000;
/** `requested WAL segment … has already been removed`. */
const UNDEFINED_FILE = '58P01';

export interface FollowOptions {
  location: () => Promise<Location>;
  /** Where the server is that the one to be followed is a standby of, where the plan says so. */
  primary?: (() => Promise<Location | undefined>) | undefined;
  slot: string;
}

/** Follows a cluster's log through its slot, over any number of connections, until the signal is aborted. */
export async function followCluster(options: FollowOptions, sink: LogSink, context: FollowContext): Promise<void> {
  const connect = (): Promise<void> => new Connection(options, sink, context).follow();
  await overConnections(sink, context, { connect, mayPass });
}

function mayPass(error: HoldfastError): boolean {
  return error.retryable || error.context['sqlState'] === OBJECT_IN_USE;
}

/** One connection's life. */
class Connection {
  readonly #options: FollowOptions;
  readonly #sink: LogSink;
  readonly #context: FollowContext;
  #location!: Location;
  #releasing: Promise<void> | undefined;

  constructor(options: FollowOptions, sink: LogSink, context: FollowContext) {
    this.#options = options;
    this.#sink = sink;
    this.#context = context;
  }

  async follow(): Promise<void> {
    this.#location = await this.#options.location();
    const facts = await this.#ask((session) => inspectCluster(session));
    const session = await openReplication(this.#location, facts, this.#context.signal);
    try {
      const slot = await this.#prepareSlot(session);
      // After the slot, which may begin behind where the log ended a moment before: at the checkpoint after a crash, say.
      const identity = await session.one('identify the cluster', 'IDENTIFY_SYSTEM');
      const server = { timeline: Number(identity['timeline']), lsn: parseLsnText(identity['xlogpos']) };
      const kept = await this.#sink.begin({ system: identity['systemid'] ?? '', segmentBytes: slot.segmentBytes });
      const from = kept ?? { timeline: server.timeline, lsn: segmentStart(slot.restartLsn!, slot.segmentBytes) };
      if (kept !== undefined) refuseSetBack(this.#location, kept, { ...server, isStandby: facts.isStandby });
      await this.#streamFrom(session, from, server.timeline, slot);
    } finally {
      await session.close();
    }
  }

  /** @returns its state, with a position that the server has the log from */
  async #prepareSlot(session: Session): Promise<SlotState> {
    const { slot } = this.#options;
    await ensureSlot(session, slot);
    const state = await this.#ask((each) => inspectSlot(each, slot));
    if (!state.isPhysical) {
      throw new HoldfastError('source-refused', `the replication slot ${slot} is somebody else's`, {
        hint: `Drop it, if nobody uses it: SELECT pg_drop_replication_slot('${slot}');`,
      });
    }
    if (state.restartLsn !== undefined && state.walStatus !== 'lost') return state;
    // The server gave it up, by max_slot_wal_keep_size: it never becomes usable again.
    await dropSlot(session, slot);
    await ensureSlot(session, slot);
    return this.#ask((each) => inspectSlot(each, slot));
  }

  /** Timeline after timeline, as long as the connection lives. */
  async #streamFrom(session: Session, from: LogPosition, serverTimeline: number, slot: SlotState): Promise<void> {
    let position = from;
    if (position.timeline !== serverTimeline) {
      const history = parseHistory((await this.#keepHistory(session, serverTimeline)).toString('utf8'));
      const next = nextTimeline(position, serverTimeline, history);
      if (next !== undefined) {
        const { timeline, lsn } = position;
        if (lsn > next.lsn) await this.#sink.left({ timeline, start: next.lsn, end: lsn, next: next.timeline });
        position = await this.#beginTimeline(session, next, slot.segmentBytes);
      }
    }
    for (;;) {
      const next = await this.#streamTimeline(session, position, slot);
      if (next === undefined) throw ended(this.#location);
      position = await this.#beginTimeline(session, next, slot.segmentBytes);
    }
  }

  /** A timeline's first segment begins with what the one before had of it: its files are whole from there. */
  async #beginTimeline(session: Session, next: LogPosition, segmentBytes: number): Promise<LogPosition> {
    await this.#keepHistory(session, next.timeline);
    return { timeline: next.timeline, lsn: segmentStart(next.lsn, segmentBytes) };
  }

  /** Source: PostgreSQL's documentation, "Streaming Replication Protocol", TIMELINE_HISTORY. */
  async #keepHistory(session: Session, timeline: number): Promise<Buffer> {
    const row = await session.one('ask how the timeline came about', `TIMELINE_HISTORY ${timeline}`);
    const name = row['filename'] ?? '';
    if (!/^[0-9A-F]{8}\.history$/.test(name)) {
      throw new HoldfastError('source-unsupported', 'the server names a timeline history as none is named');
    }
    const content = row['content'] as unknown;
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(String(content ?? ''), 'utf8');
    await this.#sink.history(timeline, { name, bytes });
    return bytes;
  }

  async #streamTimeline(session: Session, from: LogPosition, slot: SlotState): Promise<LogPosition | undefined> {
    try {
      return await this.#stream(session, from);
    } catch (error) {
      if (!isHoldfastError(error) || error.context['sqlState'] !== UNDEFINED_FILE) throw error;
      const restart = segmentStart(slot.restartLsn!, slot.segmentBytes);
      const { taken } = this.#sink;
      const start = taken?.timeline === from.timeline ? taken : from;
      if (restart <= start.lsn) throw await this.#giveUpDamagedSlot(start, error);
      const reason = String(error.context['reason'] ?? messageOf(error));
      await this.#sink.gap({ timeline: from.timeline, start: start.lsn, end: restart, reason });
      throw new HoldfastError(
        'source-lost',
        `the server has no log any more from ${lsnText(start.lsn)} to ${lsnText(restart)}`,
        {
          retryable: true,
          cause: error,
        },
      );
    }
  }

  /**
   * The server lacks what its slot was to keep: somebody removed files of it. What the slot keeps leads nowhere then, since no
   * backup goes on over the gap; a new one, made by the next connection, keeps the log from the server's last checkpoint on.
   */
  async #giveUpDamagedSlot(start: LogPosition, cause: HoldfastError): Promise<HoldfastError> {
    await this.#ask((each) => dropUnusedSlot(each, this.#options.slot, this.#context.signal));
    return new HoldfastError(
      'source-lost',
      `the server lacks a part of its log behind ${lsnText(start.lsn)} that it was to keep, and is asked from its last checkpoint on`,
      {
        hint: 'Run CHECKPOINT there if it does not go on, and find out who removes files in pg_wal.',
        retryable: true,
        cause,
      },
    );
  }

  async #stream(session: Session, from: LogPosition): Promise<LogPosition | undefined> {
    // Asked anew for every timeline: one may have begun with the promotion of this server.
    const { isStandby } = await this.#ask(readStandby);
    const receiver = new LogReceiver(from, this.#sink, this.#context, isStandby);
    const stream = new WalStream(this.#options.slot, from, receiver);
    const watch = isStandby ? await this.#watchStandby(receiver, from.timeline) : undefined;
    const { clock, silenceMs = SILENCE_MS, lookEveryMs } = this.#context;
    const acknowledge = setInterval(() => {
      const { durable } = this.#sink;
      // Of another timeline nothing is known to this one.
      if (durable?.timeline === from.timeline) stream.acknowledge(durable.lsn, clock.nowMs());
      else stream.acknowledge(0n, clock.nowMs());
      if (stream.isPaused) receiver.heard();
      // It answers every one of ours: who says nothing is not there any more.
      else if (receiver.silentMs > silenceMs) session.destroy();
    }, STATUS_EVERY_MS);
    const look = setInterval(() => awaitedLater(this.#lookAtSlot(session)), lookEveryMs);
    try {
      return await stream.run(session);
    } finally {
      clearInterval(acknowledge);
      clearInterval(look);
      await watch?.close();
      if (this.#releasing !== undefined) {
        await settled(this.#releasing);
        // What comes next makes the slot again: only once the repository takes what there is.
        await this.#sink.drain();
      }
    }
  }

  /** Looks every few seconds up to which moment of its primary the standby's log is all there is. */
  async #watchStandby(receiver: LogReceiver, timeline: number): Promise<{ close(): Promise<void> }> {
    const { signal, note } = this.#context;
    const primary = await this.#options.primary?.();
    const watch = new StandbyWatch({ standby: this.#location, primary, timeline, signal, note });
    let looking: Promise<void> | undefined;
    const look = (): void => {
      looking ??= watch
        .look()
        .then((moments) => receiver.learn(moments))
        .finally(() => {
          looking = undefined;
        });
      awaitedLater(looking);
    };
    const timer = setInterval(look, LOOK_AT_PRIMARY_EVERY_MS);
    look();
    return {
      close: async () => {
        clearInterval(timer);
        if (looking !== undefined) await settled(looking);
        await watch.close();
      },
    };
  }

  /** Tells in time what the server keeps for us: its disk is not to fill up. */
  async #lookAtSlot(session: Session): Promise<void> {
    const { note, warnRetainedBytes, releaseRetainedBytes } = this.#context;
    try {
      const state = await this.#ask((each) => inspectSlot(each, this.#options.slot));
      const { restartLsn, serverLsn, walStatus, safeBytes } = state;
      const retained = restartLsn === undefined ? 0 : Number(serverLsn - restartLsn);
      if (retained >= releaseRetainedBytes) {
        this.#releasing ??= this.#release(session, retained);
        return await this.#releasing;
      }
      if (retained < warnRetainedBytes && walStatus !== 'unreserved' && walStatus !== 'lost') return;
      const left = safeBytes === undefined ? '' : `, and gives up after another ${formatSize(Math.max(0, safeBytes))}`;
      note(`the server keeps ${formatSize(retained)} of its log until it is in the repository${left}`);
    } catch (error) {
      // The stream itself tells of a server that is gone; this look is only for warning early.
      if (!this.#context.signal.aborted) note(`cannot see how much the server keeps: ${messageOf(error)}`);
    }
  }

  /** Gives up the slot, so that the server may remove its log: a disk that is full would stop it. */
  async #release(session: Session, retainedBytes: number): Promise<void> {
    const { slot } = this.#options;
    // The slot is in use for as long as the stream goes on.
    session.destroy();
    await this.#ask((each) => dropUnusedSlot(each, slot, this.#context.signal));
    this.#sink.released(retainedBytes);
  }

  /** Asks something over an ordinary connection. */
  async #ask<T>(question: (session: Session) => Promise<T>): Promise<T> {
    const session = await Session.open(this.#location, { side: 'source', signal: this.#context.signal });
    try {
      return await question(session);
    } finally {
      await session.close();
    }
  }
}

/** A server that was set back to an older state goes on differently from what is in the repository; a standby may be late. */
function refuseSetBack(
  location: Location,
  from: LogPosition,
  { isStandby, ...server }: LogPosition & { isStandby: boolean },
): void {
  if (from.timeline > server.timeline || (from.timeline === server.timeline && from.lsn > server.lsn)) {
    if (isStandby) {
      const [has, wanted] = [lsnText(server.lsn), lsnText(from.lsn)];
      throw new HoldfastError(
        'source-lost',
        `the standby ${labelOf(location)} has come to ${has} of timeline ${server.timeline}, and the repository to ${wanted} of timeline ${from.timeline}: it is waited for`,
        { hint: 'See whether it gets the log of its primary.', retryable: true },
      );
    }
    throw new HoldfastError(
      'source-changed',
      `the log of ${labelOf(location)} ends at ${lsnText(server.lsn)} of timeline ${server.timeline}, before ${lsnText(from.lsn)} of timeline ${from.timeline}, which is in the repository`,
      {
        hint: 'The server was set back to an older state, or is another one. Follow it as a source of another name, and take a backup.',
        context: { server: lsnText(server.lsn), repository: lsnText(from.lsn) },
      },
    );
  }
}

function ended(location: Location): HoldfastError {
  return new HoldfastError('source-lost', `the server of ${labelOf(location)} ended the stream of its log`, {
    retryable: true,
  });
}
