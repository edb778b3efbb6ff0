/** What is known of the living, as rules need it: whoever watches them fills it. Times are milliseconds since 1970. */

/** What was asked of something once. */
export interface Sample {
  timeMs: number;
  /** How long the answer took, or how far a standby is behind; absent when there was none. */
  valueMs?: number;
  /** Why there was no good answer. */
  error?: string;
}

export interface ServiceSamples {
  service: string;
  /** From where it is asked. */
  from?: string;
  /** Oldest first: of the last 15 minutes at least, and back to the last good answer. */
  samples: readonly Sample[];
  /** The share of requests that failed, from 0 to 1, oldest first, as far back: of a service that names where it is known. */
  errorRates: readonly { timeMs: number; share: number }[];
}

export interface StandbySamples {
  standby: string;
  /** The source that it follows. */
  of: string;
  /** Oldest first, as far back as those of services. */
  samples: readonly Sample[];
}

export interface Samples {
  services: readonly ServiceSamples[];
  standbys: readonly StandbySamples[];
}

/** How long a recovery of a source takes, and where that leads. */
export interface RecoveryForecast {
  source: string;
  /** What a recovery would take now. */
  nowMs: number;
  promisedMs: number;
  /** When it will take longer than promised, at this growth; absent when it never does. In the past when it does already. */
  missedAtMs?: number;
}
