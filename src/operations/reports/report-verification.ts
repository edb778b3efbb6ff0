import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { type Document, renderHtml, renderMarkdown, renderText } from '../../report/index.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import { status } from '../status/status.ts';
import type { Workspace } from '../workspace.ts';
import { verificationDocument } from './verification-document.ts';
import { type VerificationReport, verificationReport } from './verification-report.ts';

/** A report, and the forms that it is shown in. */
export interface WrittenReport {
  report: VerificationReport;
  title: string;
  markdown: string;
  html: string;
  text: string;
}

/**
 * What was verified from a moment until now, of all sources of the plan.
 * @throws bad-usage for a moment that has not come; what keeps a repository from being read
 */
export async function reportVerification(workspace: Workspace, sinceMs: number): Promise<WrittenReport> {
  const { plan, environment } = workspace;
  const untilMs = environment.clock.nowMs();
  if (sinceMs >= untilMs) {
    throw new HoldfastError('bad-usage', 'the time of the report has not come', {
      hint: 'Name a moment that is past.',
    });
  }
  const snapshotTimes = new Map<string, number>();
  const events: LedgerEvent[] = [];
  for (const name of workspace.homeNames) {
    const { repository, ledger } = await workspace.open(name);
    const { snapshots } = await readableSnapshots(repository);
    for (const snapshot of snapshots) snapshotTimes.set(snapshot.id, snapshotTimeMs(snapshot));
    events.push(...(await ledger.events({ sinceMs, untilMs })));
  }
  const { sources: statuses, damaged } = await status(workspace);
  const report = verificationReport({
    ...{ plan, fromMs: sinceMs, untilMs, statuses, snapshotTimes },
    events: events.toSorted((one, other) => Date.parse(one.time) - Date.parse(other.time)),
  });
  report.attention.push(...damaged.map(({ message }) => `a snapshot cannot be read: ${message}`));
  return written(report, verificationDocument(report));
}

function written(report: VerificationReport, document: Document): WrittenReport {
  return {
    ...{ report, title: document.title },
    markdown: renderMarkdown(document),
    html: renderHtml(document),
    text: renderText(document),
  };
}
