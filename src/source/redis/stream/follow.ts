import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../../foundation/errors.ts';
import { settled } from '../../../foundation/promises.ts';
import { formatSize } from '../../../foundation/units.ts';
import type { LogPosition } from '../../../repository/index.ts';
import { type FollowContext, type LogSink, overConnections } from '../../index.ts';
import { Connection } from '../connection/connection.ts';
import { type Location, labelOf } from '../connection/location.ts';
import { ReplicaLink } from '../replication/replica-link.ts';
import { historyFile, systemOf } from './history.ts';
import { type Look, lookAt } from './look.ts';
import { StreamSplitter } from './splitter.ts';
import { Stamper } from './stamper.ts';

const ACKNOWLEDGE_EVERY_MS = 1000;
/** So exact is what is known of when something happened, where the stream does not come at once. */
const LOOK_EVERY_MS = 200;
/** Until a server has a backlog it begins anew with each replica that comes, and with the first of them it makes one. */
const ATTACH_ATTEMPTS = 5;
const ATTACH_PAUSE_MS = 300;

/** Follows a server's replication stream as a replica of it, over any number of connections, until the signal is aborted. */
export async function followStream(
  location: () => Promise<Location>,
  sink: LogSink,
  context: FollowContext,
): Promise<void> {
  const place: Place = { splitter: new StreamSplitter(), at: undefined };
  await overConnections(sink, context, {
    connect: async () => {
      await using link = await StreamLink.open(await location(), sink, context);
      await link.follow(place);
    },
    mayPass: ({ retryable }) => retryable,
  });
}

/** What lasts longer than a connection: the stream goes on in the middle of a command. */
interface Place {
  splitter: StreamSplitter;
  /** Where that is. */
  at: bigint | undefined;
}

/** One connection that gives the stream, and another one that asks the server where it is. */
class StreamLink implements AsyncDisposable {
  readonly #location: Location;
  readonly #sink: LogSink;
  readonly #context: FollowContext;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #watch: Connection;
  #replica: ReplicaLink | undefined;
  #stamper!: Stamper;
  #replicationId = '';
  #isBacklogShort = false;

  private constructor(location: Location, watch: Connection, sink: LogSink, context: FollowContext) {
    this.#location = location;
    this.#watch = watch;
    this.#sink = sink;
    this.#context = context;
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal]);
  }

  static async open(location: Location, sink: LogSink, context: FollowContext): Promise<StreamLink> {
    const { signal } = context;
    const watch = await Connection.open({ ...location, database: 0 }, { side: 'source', signal });
    return new StreamLink(location, watch, sink, context);
  }

  /** Lives until the connection is lost. @throws what ended it */
  async follow(place: Place): Promise<void> {
    const from = await this.#begin();
    if (place.at !== from.lsn) Object.assign(place, { splitter: new StreamSplitter(), at: from.lsn });
    try {
      await Promise.race([this.#receive(from, place), this.#lookAround(), this.#acknowledge(from)]);
    } catch (error) {
      // One of the three has failed, and the others end with it.
      throw this.#context.signal.aborted ? this.#context.signal.reason : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#replica?.close();
    this.#watch.destroy();
  }

  /** Finds what is stored of this server's stream, and goes on behind that. */
  async #begin(): Promise<LogPosition> {
    const look = await this.#look();
    const ids = [look.replicationId, ...(look.previous === undefined ? [] : [look.previous.replicationId])];
    for (const id of ids) {
      const known = await this.#sink.find(systemOf(id));
      if (known === undefined) continue;
      // Where nothing was stored before its follower died, it begins where that one did.
      const kept = (await this.#sink.begin({ system: known.system })) ?? known;
      if (kept.timeline > known.timeline) {
        if (id === look.replicationId) throw wentBack(this.#location);
        // It was set back to an older state, and has a history of its own from there on.
        continue;
      }
      const from = { timeline: known.timeline, lsn: kept.lsn };
      return (await this.#goOn(from, id, look)) ?? (await this.#afterGap(from, id));
    }
    const attached = await this.#attach();
    return this.#beginSystem(attached.look, attached.now);
  }

  /** @returns undefined where the server does not have what comes next */
  async #goOn({ timeline, lsn }: LogPosition, id: string, look: Look): Promise<LogPosition | undefined> {
    const now = await this.#synchronize(id, lsn);
    if (now === undefined) return undefined;
    this.#began(look, now);
    const position = { timeline: now === id ? timeline : timeline + 1, lsn };
    if (now !== id) await this.#sink.history(position.timeline, historyFile(position.timeline, now, lsn));
    this.#sink.needsBackup(position);
    return position;
  }

  /** The server's history is the one that is stored, or another one where what is stored comes to its end. */
  async #afterGap({ timeline, lsn }: LogPosition, id: string): Promise<LogPosition> {
    const { look, now } = await this.#attach();
    if (now !== id) return this.#beginSystem(look, now);
    if (look.offset < lsn) throw wentBack(this.#location);
    const position = { timeline, lsn: look.offset };
    const reason = `the server keeps only ${formatSize(look.backlogLimitBytes)} of its stream for replicas that come back (repl-backlog-size)`;
    await this.#sink.gap({ timeline, start: lsn, end: look.offset, reason });
    this.#sink.needsBackup(position);
    return position;
  }

  async #beginSystem(look: Look, replicationId: string): Promise<LogPosition> {
    const position = { timeline: 1, lsn: look.offset };
    await this.#sink.begin({ system: systemOf(replicationId) });
    await this.#sink.history(1, historyFile(1, replicationId, look.offset));
    this.#sink.needsBackup(position);
    return position;
  }

  /** Becomes a replica where the server is now, without its data: the backup that is taken next has that. */
  async #attach(): Promise<{ look: Look; now: string }> {
    for (let attempt = 1; attempt <= ATTACH_ATTEMPTS; attempt++) {
      const look = await this.#look();
      const now = await this.#synchronize(look.replicationId, look.offset);
      if (now !== undefined) {
        this.#began(look, now);
        return { look, now };
      }
      await settled(sleep(ATTACH_PAUSE_MS * attempt, undefined, { signal: this.#signal }));
    }
    throw new HoldfastError('source-lost', `${labelOf(this.#location)} gives its stream only together with all data`, {
      hint: 'Raise repl-backlog-size of the server: it is less than what is written while a replica connects.',
      retryable: true,
    });
  }

  /** @returns the id of the history that goes on there; undefined where the server does not have the stream from there on */
  async #synchronize(replicationId: string, offset: bigint): Promise<string | undefined> {
    this.#replica?.close();
    const { signal, silenceMs } = this.#context;
    const options = { signal, purpose: 'stream', ...(silenceMs !== undefined && { silenceMs }) } as const;
    this.#replica = await ReplicaLink.open(this.#location, options);
    const synchronized = await this.#replica.synchronize({ replicationId, offset });
    return synchronized.kind === 'continued' ? synchronized.position.replicationId : undefined;
  }

  #began(look: Look, replicationId: string): void {
    this.#stamper = new Stamper(look);
    this.#replicationId = replicationId;
  }

  async #receive(from: LogPosition, place: Place): Promise<never> {
    const { clock } = this.#context;
    let { lsn } = from;
    for (;;) {
      const bytes = await this.#replica!.read();
      // What was read ahead of a connection that was given up comes again by the next one.
      this.#stop.signal.throwIfAborted();
      const ends = place.splitter.push(bytes).map((end) => lsn + BigInt(end));
      const stamps = this.#stamper.stamp(ends, clock.nowMs());
      const ready = this.#sink.take({ timeline: from.timeline, lsn }, bytes, stamps);
      lsn += BigInt(bytes.length);
      place.at = lsn;
      this.#cover();
      if (ready !== undefined) await ready;
    }
  }

  async #lookAround(): Promise<never> {
    for (;;) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.#signal });
      const look = await this.#look();
      if (look.replicationId !== this.#replicationId) throw changed(this.#location);
      this.#stamper.learn(look);
      this.#context.observe({ serverLsn: look.offset, serverMs: look.serverMs });
      this.#cover();
      this.#warn(look);
    }
  }

  async #acknowledge(from: LogPosition): Promise<never> {
    for (;;) {
      const { durable } = this.#sink;
      await this.#replica!.acknowledge(durable?.timeline === from.timeline ? durable.lsn : from.lsn);
      await sleep(ACKNOWLEDGE_EVERY_MS, undefined, { signal: this.#signal });
    }
  }

  #cover(): void {
    const { taken } = this.#sink;
    const coveredMs = taken && this.#stamper.coveredMs(taken.lsn);
    if (coveredMs !== undefined) this.#sink.covers(coveredMs);
  }

  /** What is not durable yet is there a second time only as long as the server keeps it for replicas that come back. */
  #warn({ offset, backlogLimitBytes }: Look): void {
    const durable = this.#sink.durable?.lsn;
    if (durable === undefined) return;
    const isShort = offset - durable > BigInt(Math.floor(backlogLimitBytes / 2));
    if (isShort && !this.#isBacklogShort) {
      this.#context.note(
        `${formatSize(Number(offset - durable))} of the stream are not stored yet, and the server keeps ${formatSize(backlogLimitBytes)} for replicas that come back: should the connection be lost now, there may be a gap; raise repl-backlog-size`,
      );
    }
    this.#isBacklogShort = isShort;
  }

  #look(): Promise<Look> {
    return lookAt(this.#watch, () => this.#context.clock.nowMs());
  }
}

/** The connection would be lost at once: who becomes a replica, or a primary, drops its own replicas. */
function changed(location: Location): HoldfastError {
  return new HoldfastError('source-lost', `${labelOf(location)} has taken up another history of its data`, {
    retryable: true,
  });
}

function wentBack(location: Location): HoldfastError {
  return new HoldfastError(
    'source-changed',
    `${labelOf(location)} has an older history of its data than what is in the repository, which comes from a server that took over from it`,
    {
      hint: 'See whether the URL names the server that is the primary now; if it does, follow it as a source of another name.',
    },
  );
}
