import { type Document, renderHtml, renderMarkdown, renderText } from '../../report/index.ts';
import { figuresByPeriod, PERIOD_KINDS, type PeriodFigures } from '../objectives/by-period.ts';
import { readRecord } from '../showings/read-record.ts';
import type { Workspace } from '../workspace.ts';
import { metricsBlocks } from './metrics-blocks.ts';

/** What was promised and kept, by month and by quarter; times are RFC 3339. */
export interface MetricsReport {
  plan: string;
  madeAt: string;
  /** Oldest first. */
  months: PeriodFigures[];
  quarters: PeriodFigures[];
  /** Repositories that could not be read, and why: what they tell is not in it. */
  unread: { repository: string; code: string; message: string }[];
}

/** The report, and the forms that it is shown in. */
export interface WrittenMetrics {
  report: MetricsReport;
  title: string;
  markdown: string;
  html: string;
  text: string;
}

/** @param months how many, up to now: at least 1. As many quarters as these lie in are shown */
export async function reportMetrics(workspace: Workspace, { months }: { months: number }): Promise<WrittenMetrics> {
  const report = await metricsOf(workspace, months);
  const document = documentOf(report);
  return {
    ...{ report, title: document.title },
    markdown: renderMarkdown(document),
    html: renderHtml(document),
    text: renderText(document),
  };
}

async function metricsOf(workspace: Workspace, months: number): Promise<MetricsReport> {
  const { plan, environment } = workspace;
  const nowMs = environment.clock.nowMs();
  const { events, sources: known, unread } = await readRecord(workspace, PERIOD_KINDS);
  const sources = [...plan.sources.values()].flatMap((source) => {
    const snapshots = known.get(source.name)?.snapshots;
    return snapshots === undefined ? [] : [{ source, snapshots }];
  });
  const facts = { plan, sources, events, nowMs };
  return {
    ...{ plan: plan.name, madeAt: new Date(nowMs).toISOString() },
    months: figuresByPeriod('month', months, facts),
    quarters: figuresByPeriod('quarter', Math.ceil(months / 3), facts),
    unread: unread.map(({ repository, error: { code, message } }) => ({ repository, code, message })),
  };
}

function documentOf({ plan, madeAt, months, quarters, unread }: MetricsReport): Document {
  return {
    title: `Metrics of ${plan}, ${madeAt.slice(0, 10)}`,
    blocks: [
      ...unread.map(({ repository, message }) => ({
        ...{ kind: 'paragraph' as const, tone: 'bad' as const },
        text: `The repository ${repository} could not be read: ${message}. What it tells is not in here.`,
      })),
      ...metricsBlocks(months, quarters, 2),
      {
        kind: 'paragraph',
        text: 'RPO and proven: how old the newest complete, and the newest proven recovery point was at most, and for how long that was more than promised. RTO: what the longest proof took. Backups, restores and proofs: the share that succeeded, of how many. MTTR: from the beginning of an incident until people could work again.',
      },
    ],
  };
}
