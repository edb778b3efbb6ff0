/** Whether everything that was due was done once, when it was due; and what came while nobody was there, once after that. */
import type { LedgerEvent } from '../../src/ledger/index.ts';
import { dueMoments } from './oracle.ts';
import { REVIEWED_AFTER_MS } from './people.ts';
import type { Simulated, Span } from './run.ts';
import type { Failure, Scenario } from './scenario.ts';
import { eventsOf, iso, type Verdict } from './verdict.ts';
import { DAY_MS, HOUR_MS } from './world.ts';

/** What was due in the last hours may be under way still. */
const LAST_MS = 2 * HOUR_MS;
/** The step of a drill that plants a corruption, which has to be found. */
const DRILL_CONTROL = 'drill-control';

interface Run {
  startedMs: number;
  dueMs: number;
  isGood: boolean;
}

export function judgeTasks(scenario: Scenario, simulated: Simulated, verdict: Verdict): void {
  const events = simulated.all;
  const runs = runsByTask(events);
  const missed = Map.groupBy(eventsOf(events, 'run.missed'), ({ body }) => body.task);
  for (const [task, moments] of Object.entries(scenario.tasks)) {
    const { fromMs, untilMs, away, clock } = simulated;
    const due = dueMoments(moments, fromMs + 1, untilMs - LAST_MS, clock);
    const own = runs.get(task) ?? [];
    const known = new Set(due);
    for (const { dueMs } of own) {
      if (dueMs > fromMs && dueMs < untilMs - LAST_MS && !known.has(dueMs)) {
        verdict.fault(`${task} ran for ${iso(dueMs)}, when it was not due`);
      }
    }
    for (const dueMs of due.filter((each) => !isIn(away, each))) {
      verdict.count('moments due');
      judgeMoment(task, dueMs, own, scenario.failures, verdict);
    }
    for (const absence of away) {
      const counted = (missed.get(task) ?? []).filter(({ time }) => Date.parse(time) === absence.untilMs);
      judgeAbsence(
        task,
        absence,
        due.filter((each) => isIn([absence], each)),
        own,
        verdict,
      );
      const count = counted.reduce((sum, { body }) => sum + body.count, 0);
      const expected = due.filter((each) => isIn([absence], each)).length;
      const isAlsoDue = due.includes(absence.untilMs);
      if (count !== expected) {
        verdict.fault(
          `${task}: ${count} moments were recorded as missed on ${iso(absence.fromMs)}, and ${expected} were${isAlsoDue ? ' before the next' : ''}`,
        );
      }
    }
  }
}

/** One run that ended well, within the half hour; or after what kept it from being done. */
function judgeMoment(
  task: string,
  dueMs: number,
  runs: readonly Run[],
  failures: readonly Failure[],
  verdict: Verdict,
): void {
  const good = runs.filter((each) => each.dueMs === dueMs && each.isGood);
  if (good.length > 1) verdict.fault(`${task} of ${iso(dueMs)} was done ${good.length} times`);
  const isStopped = failures.some(
    ({ stops = [], fromMs, untilMs }) =>
      stops.some((each) => each === '*' || each === task) && fromMs <= dueMs && dueMs < untilMs + HOUR_MS,
  );
  if (isStopped) return;
  const [first] = good;
  if (first === undefined) verdict.fault(`${task} of ${iso(dueMs)} was not done`);
  else if (first.startedMs - dueMs > HOUR_MS)
    verdict.fault(`${task} of ${iso(dueMs)} was done at ${iso(first.startedMs)}`);
}

/** Of what was due while nobody was there, one run makes up for all, at once. */
function judgeAbsence(
  task: string,
  { untilMs }: Span,
  due: readonly number[],
  runs: readonly Run[],
  verdict: Verdict,
): void {
  const newestMs = due.at(-1);
  if (newestMs === undefined) return;
  verdict.count('absences made up for');
  const after = runs.filter(
    // What was due after that is nothing that is made up for.
    ({ dueMs, startedMs, isGood }) =>
      isGood && dueMs <= untilMs && startedMs >= untilMs && startedMs < untilMs + HOUR_MS,
  );
  if (after.length !== 1)
    verdict.fault(`${task}: ${after.length} runs made up for ${due.length} moments before ${iso(untilMs)}`);
}

/** Each drill of a task ended well: a partial one shows less than the plan promises. */
export function judgeDrills({ all: events, untilMs }: Simulated, verdict: Verdict): void {
  const ended = new Map(eventsOf(events, 'drill.finished').map(({ body }) => [body.drill, body]));
  const controlled = new Set(
    eventsOf(events, 'step.finished').flatMap(({ body }) =>
      body.step === DRILL_CONTROL && body.outcome === 'done' ? [body.run] : [],
    ),
  );
  for (const { body, time } of eventsOf(events, 'drill.started')) {
    const { drill, runbook } = body;
    const { outcome, why } = ended.get(drill) ?? {};
    if (outcome === undefined && Date.parse(time) > untilMs - LAST_MS) continue;
    if (outcome !== 'done') verdict.fault(`the drill of ${runbook} at ${time} ended as ${outcome}: ${why}`);
    else if (!controlled.has(drill)) verdict.fault(`the drill of ${runbook} at ${time} did not find what it planted`);
    else verdict.count('drills held');
  }
}

function isIn(spans: readonly Span[], timeMs: number): boolean {
  return spans.some(({ fromMs, untilMs }) => fromMs <= timeMs && timeMs < untilMs);
}

function runsByTask(events: readonly LedgerEvent[]): Map<string, Run[]> {
  const outcomes = new Map(eventsOf(events, 'run.finished').map(({ body }) => [body.run, body.outcome]));
  const runs = new Map<string, Run[]>();
  for (const { body, time } of eventsOf(events, 'run.started')) {
    const { task, run, due } = body;
    const outcome = outcomes.get(run);
    const own = runs.get(task) ?? [];
    runs.set(task, own);
    const startedMs = Date.parse(time);
    own.push({
      startedMs,
      dueMs: due === undefined ? startedMs : Date.parse(due),
      isGood: outcome !== undefined && outcome !== 'failed',
    });
  }
  return runs;
}

/** Each review is recorded on the day that it is due, unless somebody forgot it: then within the failure. */
export function judgeReviews(
  scenario: Scenario,
  { all: events, fromMs, untilMs, clock }: Simulated,
  verdict: Verdict,
): void {
  const recorded = eventsOf(events, 'review.recorded');
  for (const [kind, moments] of Object.entries(scenario.reviews)) {
    for (const dueMs of dueMoments(moments, fromMs + 1, untilMs - REVIEWED_AFTER_MS, clock)) {
      const forgotten = scenario.failures.find(
        ({ alert, ...each }) =>
          alert.rule === 'review-overdue' && alert.subject === kind && each.fromMs <= dueMs && dueMs < each.untilMs,
      );
      const lastMs = forgotten?.untilMs ?? dueMs + DAY_MS;
      if (lastMs >= untilMs) continue;
      const isHeld = recorded.some(
        ({ body, time }) => body.review === kind && Date.parse(time) >= dueMs && Date.parse(time) <= lastMs,
      );
      if (!isHeld) verdict.fault(`the review ${kind} of ${iso(dueMs)} is not recorded`);
      verdict.count('reviews held');
    }
  }
}
