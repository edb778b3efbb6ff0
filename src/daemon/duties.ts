import { alertDuty } from './duties/alerts.ts';
import { fenceDuties } from './duties/fences.ts';
import { heartbeatDuties } from './duties/heartbeats.ts';
import { watching } from './duties/watch.ts';
import type { Duty, DutyContext, MakeDuties } from './duty.ts';
import { keptDuties } from './kept-duty.ts';

/** Every part that has duties: a line each. */
export const DUTIES: readonly MakeDuties[] = [watchAndAlerts, fenceDuties, keptDuties];

function watchAndAlerts(context: DutyContext): Duty[] {
  const watched = watching(context);
  const alerts = alertDuty(context, watched);
  return [...watched.duties, alerts, ...heartbeatDuties(context, alerts.seen)];
}
