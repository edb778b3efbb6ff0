import type { Source as PlanSource } from '../../plan/index.ts';

/** How what is followed is captured. */
export interface FollowSettings {
  /** How often what came is made durable. */
  everyMs: number;
  /** The tail becomes a snapshot when it is so old, or so large. */
  foldAfterMs: number;
  foldAfterBytes: number;
  /** From how much on that a server keeps for us a person is told. */
  warnRetainedBytes: number;
  /** A directory, absolute, where the log waits while its repository is away. */
  spoolDirectory?: string;
  /** How much of it the log of one source may take. */
  spoolLimitBytes: number;
  /** How often what the server keeps is looked at. */
  lookEveryMs: number;
  /** From how much on the server is told to keep nothing: never, unless somebody asked for it. */
  releaseRetainedBytes: number;
  /** Of what is watched: how often everything is looked at, whatever was told. */
  scanEveryMs: number;
}

const DEFAULTS: FollowSettings = {
  everyMs: 5000,
  foldAfterMs: 5 * 60_000,
  foldAfterBytes: 64 * 1024 ** 2,
  warnRetainedBytes: 1024 ** 3,
  spoolLimitBytes: 10 * 1024 ** 3,
  lookEveryMs: 30_000,
  releaseRetainedBytes: Number.POSITIVE_INFINITY,
  scanEveryMs: 60 * 60_000,
};

/** What is asked for now comes before what the plan says of the source, and that before what is usual. */
export function settingsOf(source: PlanSource, asked: Partial<FollowSettings>): FollowSettings {
  const planned = source.type === 'postgres' ? source.capture : undefined;
  return { ...DEFAULTS, ...planned, ...asked };
}

/** When the tails of logs become snapshots, whatever their sources. */
export function foldAfterMs(asked: Partial<FollowSettings>): number {
  return asked.foldAfterMs ?? DEFAULTS.foldAfterMs;
}
