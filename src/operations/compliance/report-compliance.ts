import { type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Checkpoint } from '../../ledger/index.ts';
import type { Framework } from '../../plan/index.ts';
import { type Document, renderHtml, renderMarkdown, renderText } from '../../report/index.ts';
import { checkpointFor } from '../ledger/checkpoints.ts';
import type { Workspace } from '../workspace.ts';
import { complianceDocument } from './compliance-document.ts';
import { type ComplianceReport, complianceReport, type ReadLedger } from './compliance-report.ts';

/** A report, and the forms that it is shown in. */
export interface WrittenComplianceReport {
  report: ComplianceReport;
  title: string;
  markdown: string;
  html: string;
  text: string;
}

export interface CompliancePeriod {
  /** Milliseconds since 1970: from this moment on, before that one. */
  fromMs: number;
  untilMs: number;
  /** Those of the plan, when left out. */
  frameworks?: readonly Framework[];
}

/**
 * Holds the plan and its ledgers against standards. Every ledger is read past every cache, and verified; one that is not whole,
 * or cannot be read, is said to be so, and keeps no other from being reported on.
 * @throws what keeps all of them from being read
 */
export async function reportCompliance(
  workspace: Workspace,
  { fromMs, untilMs, frameworks = workspace.plan.frameworks }: CompliancePeriod,
): Promise<WrittenComplianceReport> {
  const ledgers: ReadLedger[] = [];
  const errors: HoldfastError[] = [];
  for (const name of workspace.plan.repositories.keys()) {
    try {
      ledgers.push(await readLedger(workspace, name));
    } catch (error) {
      if (!isHoldfastError(error) || workspace.environment.signal.aborted) throw error;
      errors.push(error);
      const { code, message } = error;
      ledgers.push({ repository: name, events: [], faults: [], waiting: 0, error: { code, message } });
    }
  }
  if (errors.length > 0 && errors.length === ledgers.length) throw errors[0]!;
  const report = complianceReport({ plan: workspace.plan, fromMs, untilMs, frameworks, ledgers });
  return written(report, complianceDocument(report));
}

async function readLedger(workspace: Workspace, name: string): Promise<ReadLedger> {
  const opened = await workspace.openToRead(name, { uncached: true });
  const { checkpoint, error } = await believedCheckpoint(workspace, opened);
  const { verified, events } = await opened.ledger.verifyAndRead(checkpoint);
  const { faults, untamperedUpTo } = verified;
  const waiting = (await workspace.recorder(name).waiting()).length;
  return {
    ...{ repository: name, events, faults, waiting },
    ...(untamperedUpTo !== undefined && { untamperedUpTo }),
    ...(error && { error: { code: error.code, message: error.message } }),
  };
}

/** One that cannot be believed is no reason to report nothing: it is said. */
async function believedCheckpoint(
  workspace: Workspace,
  opened: Parameters<typeof checkpointFor>[1],
): Promise<{ checkpoint?: Checkpoint; error?: HoldfastError }> {
  try {
    const checkpoint = await checkpointFor(workspace, opened, {});
    return checkpoint === undefined ? {} : { checkpoint };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { error };
  }
}

function written(report: ComplianceReport, document: Document): WrittenComplianceReport {
  return {
    ...{ report, title: document.title },
    markdown: renderMarkdown(document),
    html: renderHtml(document),
    text: renderText(document),
  };
}
