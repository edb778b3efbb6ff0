import type { Workspace } from '../../operations/index.ts';
import { renderHtml, renderMarkdown, renderText } from '../../report/index.ts';
import { isRunEvent, runOf } from '../engine/run-events.ts';
import { RunRecord } from '../engine/run-record.ts';
import { describeStep } from '../incidents/foresee.ts';
import { findRun, statesIn } from '../incidents/list.ts';
import { runDocument } from './run-document.ts';
import { type HeldReview, type RunReport, runReport } from './run-report.ts';

/** A report, and the forms that it is shown in. */
export interface WrittenRunReport {
  report: RunReport;
  title: string;
  markdown: string;
  html: string;
  text: string;
}

/**
 * What became of an incident or a drill.
 * @param id may be shortened; `latest` is the newest incident
 * @throws unknown-incident; what keeps the repository from being read
 */
export async function reportRun(workspace: Workspace, id: string): Promise<WrittenRunReport> {
  const record = new RunRecord(workspace);
  const events = await record.read();
  const state = await findRun(record, id);
  const report = runReport({
    state,
    events: events.filter((event) => isRunEvent(event) && runOf(event) === state.id),
    others: statesIn(events),
    reviews: await heldReviews(workspace),
    nowMs: workspace.environment.clock.nowMs(),
    byHand: new Map(
      await Promise.all(
        state.steps.map(async ({ plan }) => [plan.id, (await describeStep(workspace, state, plan)).byHand] as const),
      ),
    ),
  });
  const document = runDocument(report);
  return {
    ...{ report, title: document.title },
    markdown: renderMarkdown(document),
    html: renderHtml(document),
    text: renderText(document),
  };
}

async function heldReviews(workspace: Workspace): Promise<HeldReview[]> {
  const [home] = workspace.homeNames;
  if (home === undefined) return [];
  const events = await (await workspace.openToRead(home)).ledger.read();
  return events.flatMap((event) => {
    if (event.kind !== 'review.recorded') return [];
    const { review, attended } = event.body;
    return [{ review, attended, timeMs: Date.parse(event.time) }];
  });
}
