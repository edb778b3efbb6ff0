import { type LedgerEvent, mergedByTime } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { figuresByPeriod, PERIOD_KINDS, type PeriodFigures } from '../objectives/by-period.ts';
import { newestPeriods } from '../objectives/calendar-periods.ts';
import { readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';

/** What began before the first of the periods, and reaches into it, is not older than that as a rule. */
const MARGIN_MS = 31 * 24 * 3_600_000;

/** Figures of the calendar, for who watches: newer ones in place of older ones as time goes on. */
export type PeriodsNow = Record<'month' | 'previous-month' | 'quarter' | 'previous-quarter', PeriodFigures>;

/** @throws what keeps a repository of the plan from being read */
export async function gatherPeriods(workspace: Workspace): Promise<PeriodsNow> {
  const { plan, environment } = workspace;
  const nowMs = environment.clock.nowMs();
  const [first] = newestPeriods('quarter', 2, { nowMs, timezone: plan.timezone });
  const sinceMs = first!.fromMs - MARGIN_MS;
  const records: LedgerEvent[][] = [];
  const sources: { source: PlanSource; snapshots: StoredSnapshot[] }[] = [];
  for (const name of workspace.homeNames) {
    const { repository, ledger } = await workspace.open(name);
    records.push(await ledger.events({ kinds: PERIOD_KINDS, sinceMs }));
    const { snapshots } = await readableSnapshots(repository);
    for (const source of plan.sources.values()) {
      if (source.repository === name)
        sources.push({ source, snapshots: snapshotsOf(snapshots, plan.name, source.name) });
    }
  }
  const facts = { plan, sources, events: mergedByTime(records), nowMs };
  const [previousMonth, month] = figuresByPeriod('month', 2, facts);
  const [previousQuarter, quarter] = figuresByPeriod('quarter', 2, facts);
  return {
    month: month!,
    'previous-month': previousMonth!,
    quarter: quarter!,
    'previous-quarter': previousQuarter!,
  };
}
