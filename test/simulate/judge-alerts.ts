/** Whether each failure was raised, told to whose turn it was, and resolved; and nobody was told of anything else. */
import type { LedgerEvent } from '../../src/ledger/index.ts';
import type { Simulated } from './run.ts';
import type { Failure, Scenario } from './scenario.ts';
import { eventsOf, iso, type Verdict } from './verdict.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type Told } from './world.ts';

type Raised = Extract<LedgerEvent, { kind: 'alert.raised' }>;

/** The ladder of both plans: who hears of what, after how long. */
const LADDER: readonly { afterMs: number; whom: string; severity?: 'p1'; untilResolved?: true }[] = [
  { afterMs: 0, whom: 'pager' },
  { afterMs: 0, whom: 'lead@omni.example', severity: 'p1' },
  { afterMs: 30 * MINUTE_MS, whom: 'lead@omni.example' },
  { afterMs: 60 * MINUTE_MS, whom: 'cto@omni.example', untilResolved: true },
];

export function judgeAlerts(scenario: Scenario, told: readonly Told[], simulated: Simulated, verdict: Verdict): void {
  const { all: events, untilMs, steps } = simulated;
  const raised = eventsOf(events, 'alert.raised');
  const resolvedMs = new Map(
    eventsOf(events, 'alert.resolved').map(({ body, time }) => [body.alert, Date.parse(time)]),
  );
  for (const failure of scenario.failures) {
    if (failure.untilMs < untilMs) judgeFailure(failure, told, { raised, resolvedMs, steps, events }, verdict);
  }
  for (const each of raised) {
    const { alert, rule, subject, message } = each.body;
    verdict.count('alerts raised');
    const isKnown = isExpected(each, scenario.failures) || isOfAbsence(each, simulated);
    if (!isKnown) verdict.fault(`nobody expected ${rule} of ${subject} at ${each.time}: ${message}`);
    const isLate = !scenario.failures.some(
      (failure) => failure.fromMs < untilMs && untilMs <= failure.untilMs + DAY_MS,
    );
    if (!resolvedMs.has(alert) && isLate) verdict.fault(`still open at the end: ${rule} of ${subject}: ${message}`);
  }
}

interface Record {
  raised: readonly Raised[];
  resolvedMs: ReadonlyMap<string, number>;
  events: readonly LedgerEvent[];
  steps: readonly number[];
}

function judgeFailure(failure: Failure, told: readonly Told[], record: Record, verdict: Verdict): void {
  const { alert, name, fromMs, untilMs, acknowledgedAfterMs } = failure;
  verdict.count('failures');
  const isMeant = ({ body, time }: Raised): boolean =>
    body.rule === alert.rule &&
    body.subject === alert.subject &&
    Date.parse(time) >= fromMs &&
    Date.parse(time) <= untilMs;
  const raised = record.raised.find(isMeant);
  if (raised === undefined) {
    verdict.fault(`${name}: ${alert.rule} of ${alert.subject} was not raised`);
    return;
  }
  const { severity, alert: id } = raised.body;
  if (severity !== alert.severity) verdict.fault(`${name}: raised as ${severity}`);
  const raisedMs = Date.parse(raised.time);
  const resolvedMs = record.resolvedMs.get(id) ?? Number.POSITIVE_INFINITY;
  if (resolvedMs > untilMs + DAY_MS) verdict.fault(`${name}: not resolved within a day after its end`);
  const acknowledgedMs = eventsOf(record.events, 'alert.acknowledged').find(({ body }) => body.alert === id)?.time;
  const isAcknowledged = acknowledgedMs !== undefined && Date.parse(acknowledgedMs) === raisedMs + acknowledgedAfterMs!;
  if (acknowledgedAfterMs !== undefined && !isAcknowledged) verdict.fault(`${name}: it was not acknowledged`);
  const own = told.filter(
    (each) => isAbout(each, raised.body) && each.atMs >= raisedMs && each.atMs <= resolvedMs + HOUR_MS,
  );
  judgeLadder(failure, own, { raisedMs, resolvedMs, steps: record.steps }, verdict);
}

/** A page has the id; of mails that say how it went on, some name it by its rule and subject alone. */
function isAbout({ text, whom }: Told, { alert, rule, subject }: Raised['body']): boolean {
  return text.includes(alert) || (whom !== 'pager' && text.includes(rule) && text.includes(subject));
}

/** Each rung at its minute, but what an acknowledgement stops; and all who were told, of the end. */
function judgeLadder(
  { name, alert, acknowledgedAfterMs = Number.POSITIVE_INFINITY }: Failure,
  told: readonly Told[],
  { raisedMs, resolvedMs, steps }: { raisedMs: number; resolvedMs: number; steps: readonly number[] },
  verdict: Verdict,
): void {
  // Who cannot be reached is covered by the others.
  const isDeaf = (whom: string): boolean => alert.rule === 'channel-failed' && whom === alert.subject;
  const toldMs = (whom: string, atMs: number): boolean => told.some((each) => each.whom === whom && each.atMs === atMs);
  for (const { afterMs, whom, severity, untilResolved } of LADDER) {
    const atMs = steps.find((each) => each >= raisedMs + afterMs) ?? Number.POSITIVE_INFINITY;
    if (atMs >= resolvedMs || isDeaf(whom) || (severity === 'p1' && alert.severity !== 'p1')) continue;
    const isStopped = afterMs >= acknowledgedAfterMs && untilResolved !== true;
    const isTold = toldMs(whom, atMs);
    if (isTold === isStopped) {
      verdict.fault(
        `${name}: ${whom} was ${isTold ? '' : 'not '}told ${afterMs / MINUTE_MS} minutes after ${iso(raisedMs)}`,
      );
    }
    verdict.count(isStopped ? 'rungs stopped by an acknowledgement' : 'rungs told');
  }
  for (const whom of new Set(told.map((each) => each.whom))) {
    const isOverTold = told.some(
      (each) => each.whom === whom && each.atMs >= resolvedMs && each.atMs <= resolvedMs + HOUR_MS,
    );
    if (!isOverTold) verdict.fault(`${name}: ${whom} was not told that it is over`);
  }
}

/** What is raised while something is wrong that it may come of, or within a day after. */
function isExpected({ body: { rule, subject }, time }: Raised, failures: readonly Failure[]): boolean {
  const timeMs = Date.parse(time);
  return failures.some(({ alert, also = [], fromMs, untilMs }) => {
    const isNamed = [`${alert.rule} ${alert.subject}`, ...also].some(
      (each) => each === rule || each === `${rule} ${subject}`,
    );
    return isNamed && fromMs <= timeMs && timeMs <= untilMs + DAY_MS;
  });
}

const OF_ABSENCE = ['backup-missed', 'rpo-breach', 'drill-overdue'];

/** A daemon that comes back tells what it missed. */
function isOfAbsence({ body: { rule }, time }: Raised, { away }: Simulated): boolean {
  const timeMs = Date.parse(time);
  return away.some(({ untilMs }) => OF_ABSENCE.includes(rule) && untilMs <= timeMs && timeMs <= untilMs + HOUR_MS);
}
