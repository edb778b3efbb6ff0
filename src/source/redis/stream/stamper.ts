import type { Stamp } from '../../../repository/index.ts';
import type { Look } from './look.ts';

/** Looks by which the server's clock is told from ours: the quickest of so many. */
const CLOCK_LOOKS = 16;

/**
 * Says when what comes in a stream happened, by the server's clock: when it came, and never before or behind a look at the
 * server that says otherwise. Pure.
 */
export class Stamper {
  /** What happened before it did so while nobody was there. */
  readonly #awayUntil: Look;
  /** For the clock: the newest. */
  readonly #clockLooks: Look[];
  /** In the order of the stream: those that it has not come to yet, and the last that it has. */
  #looks: Look[];
  #lastMs = 0;

  /** @param look when the connection began: what came before had happened before */
  constructor(look: Look) {
    this.#awayUntil = look;
    this.#clockLooks = [look];
    this.#looks = [look];
  }

  learn(look: Look): void {
    // Of many at one place, the first says when it was reached, and the last until when nothing followed.
    if (this.#looks.at(-1)?.offset === look.offset && this.#looks.at(-2)?.offset === look.offset) this.#looks.pop();
    this.#looks.push(look);
    this.#clockLooks.push(look);
    if (this.#clockLooks.length > CLOCK_LOOKS) this.#clockLooks.shift();
  }

  /**
   * @param ends where the stream may be cut within what came, in its order
   * @param nowMs by our clock: when it came
   * @returns as many of them as differ in when they happened
   */
  stamp(ends: readonly bigint[], nowMs: number): Stamp[] {
    const stamps: Stamp[] = [];
    const { serverMs, ownMs } = this.#clockLooks.reduce((best, each) => (each.tripMs < best.tripMs ? each : best));
    const cameMs = Math.floor(nowMs + serverMs - ownMs);
    for (const lsn of ends) {
      // Of what happened while nobody was there, only the end can be told.
      if (lsn < this.#awayUntil.offset) continue;
      this.#passLooks(lsn);
      const isLate = lsn === this.#awayUntil.offset;
      const stamp = { lsn, ms: this.#momentOf(lsn, cameMs), ...(isLate && { isLate }) };
      if (stamps.at(-1)?.ms === stamp.ms && !stamps.at(-1)!.isLate) stamps.pop();
      stamps.push(stamp);
      this.#lastMs = stamp.ms;
    }
    return stamps;
  }

  /** Up to which moment, by the server's clock, all that had happened is there, once all came that is before a position. */
  coveredMs(taken: bigint): number | undefined {
    return this.#looks.findLast(({ offset }) => offset <= taken)?.serverMs;
  }

  #momentOf(lsn: bigint, cameMs: number): number {
    const before = this.#looks.findLast(({ offset }) => offset < lsn)?.serverMs ?? 0;
    const behind = this.#looks.find(({ offset }) => offset >= lsn)?.serverMs ?? Number.POSITIVE_INFINITY;
    return Math.max(this.#lastMs, before, Math.min(cameMs, behind));
  }

  /** Keeps of the looks that were passed only the last. */
  #passLooks(lsn: bigint): void {
    const passed = this.#looks.findLastIndex(({ offset }) => offset < lsn);
    if (passed > 0) this.#looks = this.#looks.slice(passed);
  }
}
