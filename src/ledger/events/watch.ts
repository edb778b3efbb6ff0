/** What was seen of the living, summed up. Times are RFC 3339. */
export interface WatchEvents {
  'watch.summarised': WatchSummary;
}

/** A day of samples, by hours: what a year needs to be looked at. Of the same day, the last one counts. */
export interface WatchSummary {
  /**
   * What `name` is, and with it what was measured: of a `service`, how long an answer took, in milliseconds; of a `standby` or a
   * `mirror`, how far it was behind, in milliseconds; of a `repository`, bytes; of a `source`, how old the newest moment was that
   * its log led to, in milliseconds, where a failure is a look at which that was more than promised, or not known.
   */
  kind: 'service' | 'standby' | 'mirror' | 'repository' | 'source';
  name: string;
  /** The day's first moment. */
  day: string;
  /** For each hour of UTC, from the first; null where nothing was sampled. */
  hours: (WatchedHour | null)[];
}

/** How many samples, how many of them failures, and of what was measured the median, the 95th percentile and the most. */
export type WatchedHour = [
  samples: number,
  failures: number,
  median: number | null,
  high: number | null,
  most: number | null,
];
