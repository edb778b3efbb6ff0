/** A straight line through points, some of which may be far off. Pure. */

export interface Line {
  slope: number;
  /** Where `x` is 0. */
  intercept: number;
}

/**
 * The line of Theil and Sen: the median of the slopes of all pairs, and the median of what is left. As long as fewer than 29 in
 * a hundred points are wrong it does not follow them.
 * @returns undefined where no two points have a different `x`
 */
export function robustLine(points: readonly (readonly [x: number, y: number])[]): Line | undefined {
  const slopes: number[] = [];
  for (const [index, [x, y]] of points.entries()) {
    for (let other = index + 1; other < points.length; other += 1) {
      const [otherX, otherY] = points[other]!;
      if (otherX !== x) slopes.push((otherY - y) / (otherX - x));
    }
  }
  const slope = median(slopes);
  if (slope === undefined) return undefined;
  return { slope, intercept: median(points.map(([x, y]) => y - slope * x))! };
}

/** The middle one, or the mean of the two in the middle; undefined where there is none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : lower + (upper - lower) / 2;
}
