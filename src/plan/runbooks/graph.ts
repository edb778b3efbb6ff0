/** Which steps lead to which. Pure. */

interface Node {
  id: string;
  needs: readonly string[];
}

/** For each step, all that must have ended before it begins. @param steps in the order of the plan: they need earlier ones alone */
export function ancestors(steps: readonly Node[]): ReadonlyMap<string, ReadonlySet<string>> {
  const known = new Map<string, Set<string>>();
  for (const { id, needs } of steps) {
    known.set(id, new Set(needs.flatMap((need) => [need, ...(known.get(need) ?? [])])));
  }
  return known;
}

/** The longest way to a step, itself included, in milliseconds; steps without a time count nothing. */
export function criticalPathMs(steps: readonly (Node & { withinMs?: number })[], end: string): number {
  const endsMs = new Map<string, number>();
  for (const { id, needs, withinMs = 0 } of steps) {
    endsMs.set(id, withinMs + Math.max(0, ...needs.map((need) => endsMs.get(need) ?? 0)));
  }
  return endsMs.get(end) ?? 0;
}

/**
 * The step whose end is the end of the recovery: the last that restores the service, and where none is said to, the last before
 * the first that watches, or that people do afterwards.
 */
export function lastOfRecovery<Step extends { restoresService: boolean; document: { do: string } }>(
  steps: readonly Step[],
): Step | undefined {
  const marked = steps.findLast(({ restoresService }) => restoresService);
  if (marked !== undefined) return marked;
  const first = steps.findIndex(({ document }) => ['monitor', 'task', 'review'].includes(document.do));
  return first < 0 ? steps.at(-1) : steps[first - 1];
}
