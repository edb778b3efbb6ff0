import type { DueReview, PeriodFigures, PlanRecord, Revision, Showings } from '../../operations/index.ts';
import type { Plan } from '../../plan/index.ts';
import type { Described } from '../step.ts';

/** All that a playbook is made of: the plan, and what the ledger shows of it. */
export interface PlaybookFacts {
  plan: Plan;
  nowMs: number;
  record: PlanRecord;
  showings: Showings;
  /** Up to now, oldest first. */
  months: readonly PeriodFigures[];
  quarters: readonly PeriodFigures[];
  /** Revisions of the plan, oldest first. */
  revisions: readonly Revision[];
  /** Whether the plan's file is the newest of them; undefined where there is none. */
  isApplied?: boolean;
  reviews: readonly DueReview[];
  /** Each step in words, by `RUNBOOK.STEP`. */
  steps: ReadonlyMap<string, Described>;
}

/** Whether some of what is recorded of the plan as a whole could not be read: archives have nothing of that. */
export function isPlanUnread({ plan, record }: Pick<PlaybookFacts, 'plan' | 'record'>): boolean {
  return record.unread.some(({ repository }) => plan.repositories.get(repository)?.archive === undefined);
}
