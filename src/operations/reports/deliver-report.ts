import type { ReportMessage } from '../../alert/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { PlannedReport, ReportKind } from '../../plan/index.ts';
import { longestGapMs } from '../../schedule/index.ts';
import { type Attempted, deliver } from '../notify/deliver.ts';
import { reportsOfPlan } from '../tasks/report-names.ts';
import type { Workspace } from '../workspace.ts';

const DAY_MS = 24 * 3_600_000;
/** A report reaches back to the one before it, but not further than that. */
const LONGEST_MS: Record<ReportKind, number> = {
  verification: 92 * DAY_MS,
  compliance: 366 * DAY_MS,
  // It is of no period.
  playbook: DAY_MS,
};

/** A report in the forms that channels take. */
export interface WrittenForms extends Pick<ReportMessage, 'title' | 'text' | 'markdown' | 'html'> {
  /** What keeps it from saying all that it is to say, in words; the report says it as well. */
  lacks?: string;
}

/** What writes the reports of each kind. Of a period in milliseconds since 1970. */
export type ReportWriters = Readonly<
  Record<ReportKind, (period: { fromMs: number; untilMs: number }) => Promise<WrittenForms>>
>;

export interface ReportDelivery {
  /** Which of the plan's reports, as its task is called: `verification`. */
  name: string;
  /** RFC 3339: the moment that it is for. What was delivered for it already is not delivered again. */
  due: string;
}

/** What became of a report for one channel. */
export interface DeliveredReport extends Attempted {
  channel: string;
  outcome: 'delivered' | 'failed';
}

/**
 * Writes a report of the plan and sends it to its channels. It is of the time since the one before, and at least as long as
 * its schedule leaves between two: nothing falls between them. Each delivery is recorded as `report.delivered`.
 * @returns what became of each channel that did not have it yet, and what the report lacks
 * @throws what keeps the report from being written, or a delivery from being recorded
 */
export async function deliverReport(
  workspace: Workspace,
  { name, due }: ReportDelivery,
  { pause, writers }: { pause: Pause; writers: ReportWriters },
): Promise<{ delivered: DeliveredReport[]; lacks?: string }> {
  const { plan, environment } = workspace;
  const planned = reportsOfPlan(plan).find((each) => each.name === name)?.report;
  if (planned === undefined) throw new HoldfastError('internal', `the plan has no report ${name}`);
  const { ledger } = await workspace.open(workspace.homeNames[0]!);
  const before = (await ledger.events({ kinds: ['report.delivered'] })).filter(isDelivered);
  const report = `${name} ${due}`;
  const untold = planned.to.filter(
    (channel) => !before.some(({ body }) => body.report === report && body.channel === channel),
  );
  if (untold.length === 0) return { delivered: [] };
  const nowMs = environment.clock.nowMs();
  const fromMs = beginOf(planned, { name, before, nowMs, timezone: plan.timezone });
  const { title, text, markdown, html, lacks } = await writers[planned.kind]({ fromMs, untilMs: nowMs });
  const message: ReportMessage = { kind: 'report', plan: plan.name, title, text, markdown, html };
  const until = new Date(nowMs).toISOString();
  const { signal } = environment;
  const delivered = await Promise.all(
    untold.map(async (channel): Promise<DeliveredReport> => {
      const attempted = await deliver(() => workspace.createChannel(channel), message, { pause, signal });
      const { error } = attempted;
      const outcome = error === undefined ? 'delivered' : 'failed';
      const why = error && { code: error.code, message: error.message };
      await ledger.append('report.delivered', { report, channel, outcome, until, ...why });
      return { channel, outcome, ...attempted };
    }),
  );
  return { delivered, ...(lacks !== undefined && { lacks }) };
}

type Delivered = Extract<LedgerEvent, { kind: 'report.delivered' }>;

function isDelivered(event: LedgerEvent): event is Delivered {
  return event.kind === 'report.delivered' && event.body.outcome === 'delivered';
}

function beginOf(
  { kind, schedule }: PlannedReport,
  { name, before, nowMs, timezone }: { name: string; before: readonly Delivered[]; nowMs: number; timezone: string },
): number {
  const gapMs = longestGapMs(schedule, timezone) ?? DAY_MS;
  const last = before.findLast(({ body }) => body.report.startsWith(`${name} `))?.body.until;
  const sinceLastMs = last === undefined ? 0 : nowMs - Date.parse(last);
  return nowMs - Math.min(LONGEST_MS[kind], Math.max(DAY_MS, gapMs, sinceLastMs));
}
