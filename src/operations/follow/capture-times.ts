import type { Clock } from '../../foundation/clock.ts';

export interface CaptureSettings {
  /** So soon after a change it is in the repository. */
  everyMs: number;
  /** How often everything is looked at. */
  scanEveryMs: number;
  rpoMs?: number | undefined;
}

/** Of `everyMs`: more than the longest wait, so that time is left for the capture itself. */
const LONGEST_WAIT_SHARE = 0.5;
/** Of `everyMs`: who writes a file is done when so long nothing changes. */
const QUIET_SHARE = 0.15;
/** Where not everything is watched, looking at everything may take a tenth of the time. */
const SCAN_REST_FACTOR = 10;
const SHORTEST_SCAN_EVERY_MS = 60_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** When what is watched is captured next. Times are those of the monotonic clock. */
export class CaptureTimes {
  readonly #clock: Clock;
  readonly #settings: CaptureSettings;
  #change: { firstMs: number; lastMs: number } | undefined;
  #begunMs = 0;
  #capturedMs = 0;
  #scan = { begunMs: Number.NEGATIVE_INFINITY, tookMs: 0 };
  #failures = { count: 0, retryMs: Number.NEGATIVE_INFINITY };

  constructor(clock: Clock, settings: CaptureSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Something changed just now. */
  changed(): void {
    const lastMs = this.#clock.monotonicMs();
    this.#change = { firstMs: this.#change?.firstMs ?? lastMs, lastMs };
  }

  /** A capture begins: what changes from now on is for the next one. */
  begins(): void {
    this.#begunMs = this.#clock.monotonicMs();
    this.#change = undefined;
  }

  captured(wasScan: boolean): void {
    this.#capturedMs = this.#begunMs;
    this.#failures = { count: 0, retryMs: Number.NEGATIVE_INFINITY };
    if (wasScan) this.#scan = { begunMs: this.#begunMs, tookMs: this.#clock.monotonicMs() - this.#begunMs };
  }

  failed(): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures.count, 16));
    this.#failures = { count: this.#failures.count + 1, retryMs: this.#clock.monotonicMs() + pauseMs };
  }

  /** @param isIncomplete see `Watch` */
  isScanDue(isIncomplete: boolean): boolean {
    return this.#scanDueMs(isIncomplete) <= this.#clock.monotonicMs();
  }

  /** How long until the next capture is due; nothing where it is overdue. @param isIncomplete see `Watch` */
  waitMs(isIncomplete: boolean): number {
    const dueMs =
      this.#failures.count > 0
        ? this.#failures.retryMs
        : Math.min(this.#scanDueMs(isIncomplete), this.#restDueMs(), this.#changeDueMs());
    return Math.max(0, dueMs - this.#clock.monotonicMs());
  }

  #scanDueMs(isIncomplete: boolean): number {
    const { begunMs, tookMs } = this.#scan;
    const oftenMs = Math.max(SHORTEST_SCAN_EVERY_MS, tookMs * SCAN_REST_FACTOR);
    return begunMs + Math.min(this.#settings.scanEveryMs, isIncomplete ? oftenMs : Number.POSITIVE_INFINITY);
  }

  /** Where nothing changes, a snapshot that says so keeps the newest recovery point within the objective. */
  #restDueMs(): number {
    return this.#capturedMs + (this.#settings.rpoMs ?? Number.POSITIVE_INFINITY) / 2;
  }

  #changeDueMs(): number {
    if (this.#change === undefined) return Number.POSITIVE_INFINITY;
    const { firstMs, lastMs } = this.#change;
    const { everyMs } = this.#settings;
    return Math.min(firstMs + everyMs * LONGEST_WAIT_SHARE, lastMs + everyMs * QUIET_SHARE);
  }
}
