import type { LedgerEvent } from '../../ledger/index.ts';
import type { Runbook } from '../../plan/index.ts';
import { median } from './robust-line.ts';

/** What drills of a runbook have measured. Times are RFC 3339. */
export interface DrillTimes {
  runbook: string;
  promisedMs?: number;
  /** Those that ended, oldest first. A drill that died, or was not whole, may have measured nothing. */
  drills: { drill: string; time: string; outcome: string; rtoMs?: number; rpoMs?: number }[];
  medianMs?: number;
  maxMs?: number;
  /** The newest time that was measured is longer than what is promised. */
  isMissed: boolean;
}

/**
 * How long recoveries by each runbook took in drills. Pure.
 * @param events of all ledgers, oldest first
 * @param fromMs from when on
 */
export function drillTimes(
  runbooks: Iterable<Pick<Runbook, 'name' | 'objectives'>>,
  events: readonly LedgerEvent[],
  fromMs = Number.NEGATIVE_INFINITY,
): DrillTimes[] {
  const began = new Map<string, string>();
  const ended = new Map<string, DrillTimes['drills']>();
  for (const { kind, body, time } of events) {
    if (kind === 'drill.started') began.set(body.drill, body.runbook);
    const runbook = kind === 'drill.finished' ? began.get(body.drill) : undefined;
    if (kind !== 'drill.finished' || runbook === undefined || Date.parse(time) < fromMs) continue;
    const { drill, outcome = 'done', rtoMs, rpoMs } = body;
    const measured = { ...(rtoMs !== undefined && { rtoMs }), ...(rpoMs !== undefined && { rpoMs }) };
    ended.set(runbook, [...(ended.get(runbook) ?? []), { drill, time, outcome, ...measured }]);
  }
  return [...runbooks].map(({ name, objectives: { rtoMs: promisedMs } }) => {
    const drills = ended.get(name) ?? [];
    const times = drills.flatMap(({ rtoMs }) => rtoMs ?? []);
    const newestMs = times.at(-1);
    return {
      ...{ runbook: name, drills },
      ...(promisedMs !== undefined && { promisedMs }),
      ...(times.length > 0 && { medianMs: Math.round(median(times)!), maxMs: Math.max(...times) }),
      isMissed: promisedMs !== undefined && newestMs !== undefined && newestMs > promisedMs,
    };
  });
}
