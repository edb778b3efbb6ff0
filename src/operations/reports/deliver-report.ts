import type { ReportMessage } from '../../alert/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { PlannedReport } from '../../plan/index.ts';
import { longestGapMs } from '../../schedule/index.ts';
import { type Attempted, deliver } from '../notify/deliver.ts';
import { reportsOfPlan } from '../tasks/report-names.ts';
import type { Workspace } from '../workspace.ts';
import { reportVerification } from './report-verification.ts';

const DAY_MS = 24 * 3_600_000;
/** A report reaches back to the one before it, but not further than that. */
const LONGEST_MS = 92 * DAY_MS;

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
 * @returns what became of each channel that did not have it yet
 * @throws what keeps the report from being written, or a delivery from being recorded
 */
export async function deliverReport(
  workspace: Workspace,
  { name, due }: ReportDelivery,
  { pause }: { pause: Pause },
): Promise<DeliveredReport[]> {
  const { plan, environment } = workspace;
  const planned = reportsOfPlan(plan).find((each) => each.name === name)?.report;
  if (planned === undefined) throw new HoldfastError('internal', `the plan has no report ${name}`);
  const { ledger } = await workspace.open(workspace.homeNames[0]!);
  const before = (await ledger.read()).filter(isDelivered);
  const report = `${name} ${due}`;
  const untold = planned.to.filter(
    (channel) => !before.some(({ body }) => body.report === report && body.channel === channel),
  );
  if (untold.length === 0) return [];
  const nowMs = environment.clock.nowMs();
  const sinceMs = beginOf(planned, { name, before, nowMs, timezone: plan.timezone });
  const { title, text, markdown, html } = await reportVerification(workspace, sinceMs);
  const message: ReportMessage = { kind: 'report', plan: plan.name, title, text, markdown, html };
  const until = new Date(nowMs).toISOString();
  const { signal } = environment;
  return Promise.all(
    untold.map(async (channel): Promise<DeliveredReport> => {
      const attempted = await deliver(() => workspace.createChannel(channel), message, { pause, signal });
      const { error } = attempted;
      const outcome = error === undefined ? 'delivered' : 'failed';
      const why = error && { code: error.code, message: error.message };
      await ledger.append('report.delivered', { report, channel, outcome, until, ...why });
      return { channel, outcome, ...attempted };
    }),
  );
}

type Delivered = Extract<LedgerEvent, { kind: 'report.delivered' }>;

function isDelivered(event: LedgerEvent): event is Delivered {
  return event.kind === 'report.delivered' && event.body.outcome === 'delivered';
}

function beginOf(
  { schedule }: PlannedReport,
  { name, before, nowMs, timezone }: { name: string; before: readonly Delivered[]; nowMs: number; timezone: string },
): number {
  const gapMs = longestGapMs(schedule, timezone) ?? DAY_MS;
  const last = before.findLast(({ body }) => body.report.startsWith(`${name} `))?.body.until;
  const sinceLastMs = last === undefined ? 0 : nowMs - Date.parse(last);
  return nowMs - Math.min(LONGEST_MS, Math.max(DAY_MS, gapMs, sinceLastMs));
}
