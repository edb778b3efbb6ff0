import { parseDuration } from '../../../foundation/units.ts';
import type { EventBodies, LedgerEvent } from '../../../ledger/index.ts';
import type { RecoveryFacts } from './facts.ts';

/** When the review after a recovery is due where its runbook does not say. */
const REVIEW_WITHIN_MS = 24 * 3_600_000;

/** What is known of one incident, in whatever order it was read: the clocks of those who recorded it differ. */
interface Known {
  runbook: string;
  isOpened: boolean;
  hasSteps: boolean;
  /** By the step: since when it is late, and what it was given. */
  late: Map<string, { withinMs: number; lateMs: number }>;
  closedMs?: number;
  breachMs?: number;
  isReported: boolean;
  /** How long after the end its review is due, where its runbook has one. */
  reviewWithinMs?: number;
  isReviewed: boolean;
}

/** What is to be said of incidents. Pure. @param events oldest first */
export function recoveryFacts(events: readonly LedgerEvent[]): RecoveryFacts {
  const incidents = new Map<string, Known>();
  for (const event of events) note(incidents, event);
  // What is of a drill, or of an incident whose opening lies elsewhere, is none.
  const known = [...incidents].flatMap(([incident, each]) => (each.isOpened ? [{ incident, ...each }] : []));
  return {
    lateSteps: known.flatMap(({ incident, runbook, late, closedMs }) =>
      closedMs !== undefined ? [] : [...late].map(([step, each]) => ({ incident, runbook, step, ...each })),
    ),
    breaches: known.flatMap(({ incident, breachMs, isReported }) =>
      breachMs === undefined || isReported ? [] : [{ incident, sinceMs: breachMs }],
    ),
    open: known.flatMap(({ incident, runbook, hasSteps, closedMs }) =>
      hasSteps && closedMs === undefined ? [{ incident, runbook }] : [],
    ),
    dueReviews: known.flatMap(({ incident, runbook, closedMs, reviewWithinMs, isReviewed }) => {
      if (closedMs === undefined || reviewWithinMs === undefined || isReviewed) return [];
      return [{ incident, runbook, dueMs: closedMs + reviewWithinMs }];
    }),
  };
}

function note(incidents: Map<string, Known>, { kind, body, time }: LedgerEvent): void {
  const id = kind === 'review.recorded' ? body.review.replace(/^incident-/, '') : idOf(body);
  if (id === undefined) return;
  const known = incidents.get(id) ?? unknown();
  incidents.set(id, known);
  const timeMs = Date.parse(time);
  if (kind === 'incident.opened') open(known, body);
  else if (kind === 'step.late') known.late.set(body.step, { withinMs: body.withinMs, lateMs: timeMs });
  else if (kind === 'step.finished') known.late.delete(body.step);
  else if (kind === 'breach.declared') known.breachMs ??= Date.parse(body.since);
  else if (kind === 'breach.reported') known.isReported = true;
  else if (kind === 'review.recorded') known.isReviewed = true;
  else if (kind === 'incident.closed') known.closedMs ??= timeMs;
}

function unknown(): Known {
  return { runbook: '', isOpened: false, hasSteps: false, late: new Map(), isReported: false, isReviewed: false };
}

function open(known: Known, { runbook, why, steps }: EventBodies['incident.opened']): void {
  known.isOpened = true;
  known.hasSteps = (steps?.length ?? 0) > 0;
  known.runbook = runbook ?? why;
  const review = steps?.find((step) => step['do'] === 'review');
  if (review === undefined) return;
  known.reviewWithinMs = parseDuration(String(review['within'] ?? '')) ?? REVIEW_WITHIN_MS;
}

function idOf(body: unknown): string | undefined {
  const { incident, run } = body as { incident?: string; run?: string };
  return incident ?? run;
}
