import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Plan, ReviewKind } from '../../plan/index.ts';
import { nextDue } from '../../schedule/index.ts';
import type { Workspace } from '../workspace.ts';

/** A review that somebody recorded. */
export interface RecordedReview {
  review: string;
  attended: string[];
  note?: string;
  /** user@host, or who the API knows. */
  by: string;
  /** RFC 3339. */
  time: string;
}

/** When a review of the plan is due. Times are RFC 3339. */
export interface DueReview {
  review: ReviewKind;
  schedule: string;
  last?: string;
  /** Absent where its schedule never comes. */
  due?: string;
  isOverdue: boolean;
}

export interface Reviews {
  due: DueReview[];
  /** Oldest first. */
  recorded: RecordedReview[];
}

/**
 * When each review of a plan is due: at the schedule's next moment after it was last recorded, or after the record began. Pure.
 * @param lastMs when each was recorded last, in milliseconds since 1970
 * @param beganMs when the record began: what was never recorded is due from then on
 */
export function dueReviews(
  { reviews, timezone }: Pick<Plan, 'reviews' | 'timezone'>,
  lastMs: ReadonlyMap<string, number>,
  { beganMs, nowMs }: { beganMs: number; nowMs: number },
): DueReview[] {
  return [...reviews].map(([review, schedule]) => {
    const last = lastMs.get(review);
    const dueMs = nextDue(schedule, last ?? beganMs, timezone);
    return {
      ...{ review, schedule: schedule.text },
      ...(last !== undefined && { last: new Date(last).toISOString() }),
      ...(dueMs !== undefined && { due: new Date(dueMs).toISOString() }),
      isOverdue: dueMs !== undefined && dueMs <= nowMs,
    };
  });
}

const AFTER_RECOVERY = /^(incident|drill)-[0-9a-f]+$/;

/**
 * Records that a review took place: one of the plan, or one after a recovery, as `incident-3fa85f64`.
 * @returns when the next is due; undefined of one after a recovery
 * @throws bad-usage for one that the plan does not have, or without anybody who attended
 */
export async function recordReview(
  workspace: Workspace,
  { review, attended, note, by }: { review: string; attended: readonly string[]; note?: string; by?: string },
): Promise<DueReview | undefined> {
  const planned = [...workspace.plan.reviews.keys()];
  if (!planned.some((each) => each === review) && !AFTER_RECOVERY.test(review)) {
    throw new HoldfastError('bad-usage', `the plan has no review ${JSON.stringify(review)}`, {
      hint: planned.length === 0 ? 'Add it to `reviews` in the plan.' : `It has ${planned.join(', ')}.`,
    });
  }
  const names = attended.map((name) => name.trim()).filter((name) => name !== '');
  if (names.length === 0) {
    throw new HoldfastError('bad-usage', 'nobody attended', {
      hint: 'Name who did: `--attended ANNA --attended BEN`.',
    });
  }
  const [home] = workspace.homeNames;
  const { ledger } = await workspace.open(home!);
  await ledger.append('review.recorded', {
    ...{ review, attended: names },
    ...(note !== undefined && { note }),
    ...(by !== undefined && { by }),
  });
  return (await listReviews(workspace)).due.find((each) => each.review === review);
}

/** What was recorded, and what is due. */
export async function listReviews(workspace: Workspace): Promise<Reviews> {
  const { plan, environment } = workspace;
  const [home] = workspace.homeNames;
  const events: LedgerEvent[] = home === undefined ? [] : await (await workspace.open(home)).ledger.read();
  const recorded = events.flatMap(({ kind, body, actor: by, time }): RecordedReview[] =>
    kind === 'review.recorded' ? [{ by, ...body, time }] : [],
  );
  const lastMs = new Map(recorded.map(({ review, time }) => [review, Date.parse(time)]));
  const nowMs = environment.clock.nowMs();
  const beganMs = events[0] === undefined ? nowMs : Date.parse(events[0].time);
  return { due: dueReviews(plan, lastMs, { beganMs, nowMs }), recorded };
}
