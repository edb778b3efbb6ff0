export const STORE_METHODS = ['put', 'get', 'list', 'stat', 'delete'] as const;
export type StoreMethod = (typeof STORE_METHODS)[number];

export interface MethodMetrics {
  /** Requests; of a listing, its pages. Also those that failed. */
  calls: number;
  /** An object that is missing, or there already, is an answer and no failure. */
  failures: number;
  /** Of contents: sent by `put`, received by `get`. */
  bytes: number;
  totalMs: number;
  longestMs: number;
}

/** What was asked of a store. */
export class StoreMetrics {
  readonly methods = Object.fromEntries(
    STORE_METHODS.map((method) => [method, { calls: 0, failures: 0, bytes: 0, totalMs: 0, longestMs: 0 }]),
  ) as Record<StoreMethod, MethodMetrics>;

  record(method: StoreMethod, done: { calls: number; bytes: number; tookMs: number; failed: boolean }): void {
    const sums = this.methods[method];
    sums.calls += done.calls;
    sums.failures += done.failed ? 1 : 0;
    sums.bytes += done.bytes;
    sums.totalMs += done.tookMs;
    sums.longestMs = Math.max(sums.longestMs, done.tookMs);
  }

  get calls(): number {
    return STORE_METHODS.reduce((sum, method) => sum + this.methods[method].calls, 0);
  }
}

/** In whatever currency the plan means; `null` where a price is not known. */
export interface StorePrices {
  /** Of a thousand requests that write or list. */
  writes: number;
  /** Of a thousand requests that read or look up. Removing costs nothing. */
  reads: number;
  /** Of a thousand million bytes that are read. */
  download: number;
}

/**
 * Amazon S3 Standard in us-east-1, in US dollars, as Amazon published them in 2025: requests, and transfer to the internet
 * up to 10 TB a month. Storage, transfer within a region, and what is free of charge each month are left out.
 */
export const DEFAULT_PRICES: StorePrices = { writes: 0.005, reads: 0.0004, download: 0.09 };

/** What requests and transfer cost by these prices: an estimate, no bill. */
export function estimatedCost({ methods }: StoreMetrics, prices: StorePrices): number {
  const { put, get, list, stat } = methods;
  const requests = ((put.calls + list.calls) * prices.writes + (get.calls + stat.calls) * prices.reads) / 1000;
  return requests + (get.bytes / 1e9) * prices.download;
}
