import type { LedgerEvent, WatchSummary } from '../../ledger/index.ts';
import type { SeenLog } from './coverage.ts';

const HOUR_MS = 3_600_000;

/** What the daemon saw of a source's log, hour by hour, oldest first. @param events of its repository's ledger, oldest first */
export function seenLogOf(source: string, events: readonly LedgerEvent[]): SeenLog[] {
  const days = new Map<string, WatchSummary>();
  for (const { kind, body } of events) {
    if (kind === 'watch.summarised' && body.kind === 'source' && body.name === source) days.set(body.day, body);
  }
  const inOrder = [...days.values()].sort((a, b) => Date.parse(a.day) - Date.parse(b.day));
  return inOrder.flatMap(({ day, hours }) =>
    hours.flatMap((hour, index): SeenLog[] => {
      const [samples = 0, failures = 0, , , most = null] = hour ?? [];
      const fromMs = Date.parse(day) + index * HOUR_MS;
      return most === null ? [] : [{ fromMs, toMs: fromMs + HOUR_MS, maxMs: most, breachShare: failures / samples }];
    }),
  );
}
