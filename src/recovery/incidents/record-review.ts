import { HoldfastError } from '../../foundation/errors.ts';
import { recordReview as record, type Workspace } from '../../operations/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import { findRun } from './list.ts';

const AFTER_RECOVERY = /^(?:incident|drill)-(.+)$/;

type Review = Parameters<typeof record>[1];
/** Which review it was, as it is recorded, and when the next one is due: of one after a recovery there is none. */
type Recorded = { review: string; next: Awaited<ReturnType<typeof record>> };

/**
 * Records that a review took place: one of the plan, or one after a recovery, whose id may be shortened.
 * @throws unknown-incident; incident-open while there is no end that could be looked back at; bad-usage as `recordReview` of
 *   operations
 */
export async function recordReview(workspace: Workspace, review: Review): Promise<Recorded> {
  const [, id] = AFTER_RECOVERY.exec(review.review) ?? [];
  const name = id === undefined ? review.review : await nameOf(workspace, id);
  return { review: name, next: await record(workspace, { ...review, review: name }) };
}

/** What is open would count as reviewed, and nobody would be reminded once it is over. */
async function nameOf(workspace: Workspace, id: string): Promise<string> {
  const run = await findRun(new RunRecord(workspace), id);
  if (run.ended !== undefined) return `${run.kind}-${run.id}`;
  throw new HoldfastError('incident-open', `the ${run.kind} ${run.id} is not over: there is nothing to review yet`, {
    hint: `See what it waits for with \`holdfast incident show ${run.id}\`; \`holdfast incident note ${run.id} TEXT\` keeps what is said until then.`,
    context: { run: run.id },
  });
}
