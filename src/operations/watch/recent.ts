const MINUTE_MS = 60_000;
/** What is looked at one by one. */
const WHOLE_MS = 15 * MINUTE_MS;
const BUCKET_MS = 5 * MINUTE_MS;
const LONGEST_MS = 24 * 60 * MINUTE_MS;

/**
 * What is kept of samples for those who ask since when something is bad: all of the last quarter of an hour; before that, of
 * each five minutes the best, back to a day; and the newest good one with the first behind it, however old. Pure.
 * @param samples oldest first
 * @param badness of a sample: infinite where it was a failure
 */
export function thinned<T extends { timeMs: number }>(
  samples: readonly T[],
  nowMs: number,
  badness: (sample: T) => number,
): T[] {
  const lastGood = samples.findLastIndex((each) => Number.isFinite(badness(each)));
  const best = new Map<number, T>();
  const kept = new Set<T>();
  for (const [index, sample] of samples.entries()) {
    const ageMs = nowMs - sample.timeMs;
    if (ageMs <= WHOLE_MS || index === lastGood || index === lastGood + 1) kept.add(sample);
    else if (ageMs <= LONGEST_MS) {
      const bucket = Math.floor(sample.timeMs / BUCKET_MS);
      const other = best.get(bucket);
      if (other === undefined || badness(sample) < badness(other)) best.set(bucket, sample);
    }
  }
  for (const sample of best.values()) kept.add(sample);
  return samples.filter((sample) => kept.has(sample));
}
