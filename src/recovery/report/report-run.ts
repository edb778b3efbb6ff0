import type { LedgerEvent } from '../../ledger/index.ts';
import type { Workspace } from '../../operations/index.ts';
import { renderHtml, renderMarkdown, renderText } from '../../report/index.ts';
import { isRunEvent, type RunEvent, runOf } from '../engine/run-events.ts';
import { RunRecord } from '../engine/run-record.ts';
import type { RunState } from '../engine/state.ts';
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
  const known = await knownRuns(workspace, record);
  return reportOf(workspace, known, await findRun(record, id));
}

/** The same of all that began in some time, and of each the events that it comes from. Times are milliseconds since 1970. */
export async function reportRuns(
  workspace: Workspace,
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
): Promise<{ written: WrittenRunReport; events: (LedgerEvent & RunEvent)[] }[]> {
  const known = await knownRuns(workspace, new RunRecord(workspace));
  const begun = known.states.filter(({ startedMs }) => startedMs >= fromMs && startedMs < untilMs);
  return Promise.all(
    begun.map(async (state) => ({
      written: await reportOf(workspace, known, state),
      events: eventsOf(known.events, state),
    })),
  );
}

interface KnownRuns {
  events: RunEvent[];
  states: RunState[];
  reviews: HeldReview[];
}

async function knownRuns(workspace: Workspace, record: RunRecord): Promise<KnownRuns> {
  const events = await record.read();
  return { events, states: statesIn(events), reviews: await heldReviews(workspace) };
}

function eventsOf(events: readonly RunEvent[], { id }: RunState): (LedgerEvent & RunEvent)[] {
  return events.filter((event) => isRunEvent(event)).filter((event) => runOf(event) === id);
}

async function reportOf(
  workspace: Workspace,
  { events, states, reviews }: KnownRuns,
  state: RunState,
): Promise<WrittenRunReport> {
  const report = runReport({
    state,
    events: eventsOf(events, state),
    others: states,
    reviews,
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
