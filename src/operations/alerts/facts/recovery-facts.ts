import { parseDuration } from '../../../foundation/units.ts';
import type { LedgerEvent } from '../../../ledger/index.ts';
import type { RecoveryFacts } from './facts.ts';

/** When the review after a recovery is due where its runbook does not say. */
const REVIEW_WITHIN_MS = 24 * 3_600_000;

interface Known {
  runbook: string;
  /** By the step: since when it is late, and what it was given. */
  late: Map<string, { withinMs: number; lateMs: number }>;
  isClosed: boolean;
  breachMs?: number;
  reviewWithinMs?: number;
  reviewDueMs?: number;
}

/** What is to be said of incidents. Pure. @param events oldest first */
export function recoveryFacts(events: readonly LedgerEvent[]): RecoveryFacts {
  const incidents = new Map<string, Known>();
  for (const event of events) note(incidents, event);
  const known = [...incidents].map(([incident, each]) => ({ incident, ...each }));
  return {
    lateSteps: known.flatMap(({ incident, runbook, late, isClosed }) =>
      isClosed ? [] : [...late].map(([step, each]) => ({ incident, runbook, step, ...each })),
    ),
    breaches: known.flatMap(({ incident, breachMs }) =>
      breachMs === undefined ? [] : [{ incident, sinceMs: breachMs }],
    ),
    dueReviews: known.flatMap(({ incident, runbook, reviewDueMs }) =>
      reviewDueMs === undefined ? [] : [{ incident, runbook, dueMs: reviewDueMs }],
    ),
  };
}

function note(incidents: Map<string, Known>, { kind, body, time }: LedgerEvent): void {
  if (kind === 'incident.opened') {
    const review = body.steps?.find((step) => step['do'] === 'review');
    const within =
      review === undefined ? undefined : (parseDuration(String(review['within'] ?? '')) ?? REVIEW_WITHIN_MS);
    const known = { runbook: body.runbook ?? body.why, late: new Map(), isClosed: false };
    incidents.set(body.incident, { ...known, ...(within !== undefined && { reviewWithinMs: within }) });
    return;
  }
  if (kind === 'review.recorded') {
    delete incidents.get(body.review.replace(/^incident-/, ''))?.reviewDueMs;
    return;
  }
  const id = idOf(body);
  const known = id === undefined ? undefined : incidents.get(id);
  if (known === undefined) return;
  if (kind === 'step.late') known.late.set(body.step, { withinMs: body.withinMs, lateMs: Date.parse(time) });
  else if (kind === 'step.finished') known.late.delete(body.step);
  else if (kind === 'breach.declared') known.breachMs ??= Date.parse(body.since);
  else if (kind === 'breach.reported') delete known.breachMs;
  else if (kind === 'incident.closed') {
    known.isClosed = true;
    if (known.reviewWithinMs !== undefined) known.reviewDueMs ??= Date.parse(time) + known.reviewWithinMs;
  }
}

function idOf(body: unknown): string | undefined {
  const { incident, run } = body as { incident?: string; run?: string };
  return incident ?? run;
}
