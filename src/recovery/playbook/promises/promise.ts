import { formatDuration } from '../../../foundation/units.ts';
import type { LastShown, Showing } from '../../../operations/index.ts';
import { nextDue, type Schedule } from '../../../schedule/index.ts';
import { isPlanUnread, type PlaybookFacts } from '../facts.ts';

/**
 * What of a plan is promised. Subjects: of the first four a source; of `runbook` and `drill` a runbook; of `step`
 * `RUNBOOK.STEP`; of the others their names in the plan.
 */
export type PromiseKind =
  | 'rpo'
  | 'rto'
  | 'proof'
  | 'schedule'
  | 'retention'
  | 'verification'
  | 'group'
  | 'check'
  | 'mirror'
  | 'archive'
  | 'checkpoint'
  | 'runbook'
  | 'step'
  | 'drill'
  | 'kit'
  | 'channel'
  | 'report'
  | 'review';

/** A promise of the plan, and what the ledger shows of it. */
export interface KeptPromise {
  kind: PromiseKind;
  subject: string;
  /** In words. */
  promised: string;
  /** `shown`: it was done, and nothing tells whether in time. `unknown`: what was recorded could not be read. */
  state: 'kept' | 'missed' | 'shown' | 'never-shown' | 'unknown';
  /** What was measured, in words. */
  measured?: string;
  /** RFC 3339: when it was last shown. */
  shownAt?: string;
}

/** What was not read may hold what is looked for. */
export function absent(facts: PlaybookFacts, repository?: string): Pick<KeptPromise, 'state'> {
  const isUnread =
    repository === undefined
      ? isPlanUnread(facts)
      : facts.record.unread.some((unread) => unread.repository === repository);
  return { state: isUnread ? 'unknown' : 'never-shown' };
}

const RESULTS: Readonly<Record<Showing['result'], string>> = {
  done: '',
  partial: 'in part',
  missed: 'not as promised',
  failed: 'failed',
};

/** A showing in words: how long it took, what came of it. */
export function showingWords({ result, durationMs, words }: Showing, isMore = true): string {
  const took = durationMs === undefined ? '' : formatDuration(durationMs);
  return [took, RESULTS[result], isMore ? (words ?? '') : ''].filter((each) => each !== '').join(', ') || 'done';
}

const DAY_MS = 24 * 3_600_000;

/** What is done by a schedule: it is missed where the last one failed, or a day has passed since the next was due. */
export function bySchedule(
  facts: PlaybookFacts,
  { last, good }: LastShown,
  schedule: Schedule | undefined,
  repository?: string,
): Omit<KeptPromise, 'kind' | 'subject' | 'promised'> {
  if (last === undefined) return absent(facts, repository);
  if (good === undefined) return { state: 'never-shown', measured: `${day(last.at)}: ${showingWords(last)}` };
  const { plan, nowMs } = facts;
  const dueMs = schedule === undefined ? undefined : nextDue(schedule, Date.parse(good.at), plan.timezone);
  const isOverdue = dueMs !== undefined && schedule?.kind !== 'continuous' && dueMs <= nowMs - DAY_MS;
  const failed = last.result === 'failed' ? `; ${day(last.at)}: ${showingWords(last)}` : '';
  const overdue = isOverdue ? `; overdue since ${day(new Date(dueMs).toISOString())}` : '';
  return {
    state: last.result === 'failed' || isOverdue ? 'missed' : 'kept',
    measured: `${showingWords(good)}${failed}${overdue}`,
    shownAt: good.at,
  };
}

function day(at: string): string {
  return at.slice(0, 10);
}

/** What was measured beside what is promised. */
export function against(actualMs: number, promisedMs: number | undefined): KeptPromise['state'] {
  if (promisedMs === undefined) return 'shown';
  return actualMs > promisedMs ? 'missed' : 'kept';
}
