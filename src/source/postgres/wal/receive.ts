import { HoldfastError } from '../../../foundation/errors.ts';
import { type LogPosition, later, lsnText } from '../../../repository/index.ts';
import type { FollowContext, LogSink } from '../../index.ts';
import type { KnownMoment } from '../standby.ts';
import type { WalMessage } from './messages.ts';
import type { StreamHandler } from './stream.ts';

/** Gives a sink what comes of one timeline, and finds out up to which moment that is all there is. */
export class LogReceiver implements StreamHandler {
  readonly #timeline: number;
  readonly #sink: LogSink;
  readonly #context: FollowContext;
  /** What comes next begins here. */
  #lsn: bigint;
  /** The last keepalive, unless data came since. */
  #idleSince: { lsn: bigint; serverMs: number } | undefined;
  #heardMs: number;
  /** Whether the times that come are those of a standby, which knows nothing of its primary's. */
  readonly #isStandby: boolean;
  /** What is known of the primary of a standby, as long as the log has not come so far. */
  #moments: KnownMoment[] = [];
  #coveredMs = 0;

  constructor(from: LogPosition, sink: LogSink, context: FollowContext, isStandby: boolean) {
    this.#timeline = from.timeline;
    this.#lsn = from.lsn;
    this.#sink = sink;
    this.#context = context;
    this.#heardMs = context.clock.monotonicMs();
    this.#isStandby = isStandby;
  }

  /** How long nothing came. */
  get silentMs(): number {
    return this.#context.clock.monotonicMs() - this.#heardMs;
  }

  heard(): void {
    this.#heardMs = this.#context.clock.monotonicMs();
  }

  /** Of a standby: what was found out about its primary. */
  learn(moments: readonly KnownMoment[]): void {
    this.#moments.push(...moments.filter(({ ms }) => ms > this.#coveredMs));
    this.#coverKnown();
  }

  message(message: WalMessage): Promise<void> | undefined {
    this.heard();
    const { serverLsn, serverMs } = message;
    this.#context.observe({ serverLsn: later(serverLsn, this.#lsn), serverMs });
    if (message.kind === 'data') return this.#data(message);
    // The server sends what there is between two answers: what it had at the first one was all there by the second.
    const isIdle = this.#idleSince?.lsn === serverLsn && serverLsn === this.#lsn;
    if (isIdle && !this.#isStandby) this.#sink.covers(this.#idleSince!.serverMs);
    this.#idleSince = { lsn: serverLsn, serverMs };
    return undefined;
  }

  #data({ start, serverLsn, serverMs, bytes }: WalMessage & { kind: 'data' }): Promise<void> | undefined {
    if (start !== this.#lsn) {
      throw new HoldfastError(
        'source-unsupported',
        `the server sent its log from ${lsnText(start)} where ${lsnText(this.#lsn)} comes next`,
      );
    }
    this.#idleSince = undefined;
    const at = { timeline: this.#timeline, lsn: start };
    this.#lsn += BigInt(bytes.length);
    const ready = bytes.length === 0 ? undefined : this.#sink.take(at, bytes);
    if (this.#isStandby) this.#coverKnown();
    else if (this.#lsn >= serverLsn) this.#sink.covers(serverMs);
    return ready;
  }

  #coverKnown(): void {
    const reached = this.#moments.filter(({ lsn }) => lsn <= this.#lsn).map(({ ms }) => ms);
    if (reached.length === 0) return;
    this.#moments = this.#moments.filter(({ lsn }) => lsn > this.#lsn);
    const newestMs = Math.max(...reached);
    if (newestMs <= this.#coveredMs) return;
    this.#coveredMs = newestMs;
    this.#sink.covers(newestMs);
  }
}
