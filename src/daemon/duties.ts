import { processOf } from '../recovery/index.ts';
import { alertDuty } from './duties/alerts.ts';
import { fenceDuties } from './duties/fences.ts';
import { heartbeatDuties } from './duties/heartbeats.ts';
import { incidentDuties } from './duties/incidents.ts';
import { watching } from './duties/watch.ts';
import type { Duty, DutyContext, MakeDuties } from './duty.ts';
import { keptDuties } from './kept-duty.ts';

/** Every part that has duties: a line each. */
export const DUTIES: readonly MakeDuties[] = [watchAndAlerts, fenceDuties, incidentDuties, keptDuties];

/** What needs no repository: somebody is told that it is away, and a watch outside hears nothing. */
export function dutiesWithoutRepository(everyMs: number): MakeDuties {
  return (context) => {
    const alerts = alertDuty(context, {}, { everyMs });
    return [alerts, ...heartbeatDuties(context, alerts.seen)];
  };
}

function watchAndAlerts(context: DutyContext): Duty[] {
  const watched = watching(context);
  const isRun = async (incident: string) => {
    const runner = await processOf(context.workspace, incident);
    return runner === 'unknown' ? undefined : runner !== 'nobody';
  };
  const alerts = alertDuty(context, { ...watched, isRun });
  return [...watched.duties, alerts, ...heartbeatDuties(context, alerts.seen)];
}
