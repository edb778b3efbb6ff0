/** Holds what became of a simulated plan against what it promises. What it computes shares nothing with the product. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerEvent } from '../../src/ledger/index.ts';
import { restic } from '../support/restic.ts';
import { dueDays, promised } from './oracle.ts';
import type { Simulated } from './run.ts';
import type { Failure, Scenario } from './scenario.ts';
import { HOUR_MS, MINUTE_MS, type Told, type World } from './world.ts';

/** What the judge counted, and what was not as it was promised. */
export interface Verdict {
  counts: Record<string, number>;
  faults: string[];
}

/** So many snapshots of a source are restored, the oldest, the newest and some between. */
const RESTORED_OF_SOURCE = 12;

export function judge(scenario: Scenario, world: World, simulated: Simulated): Verdict {
  const verdict: Verdict = { counts: {}, faults: [] };
  judgeSnapshots(scenario, world, simulated, verdict);
  judgeDue('verify', scenario.verifications, simulated, verdict);
  for (const failure of scenario.failures) judgeFailure(failure, world.told, simulated, verdict);
  judgeAlerts(simulated, verdict);
  return verdict;
}

/** What stock restic lists is what the retention promises, no more and no less, and comes back. */
function judgeSnapshots(scenario: Scenario, world: World, { events, workspace }: Simulated, verdict: Verdict): void {
  const repository = workspace.plan.repositories.get('primary')!.store as string;
  const password = world.variables['HOLDFAST_PASSWORD']!;
  const listed = JSON.parse(restic(repository, ['snapshots', '--json'], { password }).output) as {
    id: string;
    time: string;
    tags?: string[];
  }[];
  const target = mkdtempSync(join(tmpdir(), 'restored-'));
  for (const [source, retention] of Object.entries(scenario.retentions)) {
    const taken = bodiesOf(events, 'backup.finished').filter((body) => body.source === source);
    const lastRetainMs = Math.max(0, ...runsOf(events, 'retain:primary').map(({ startedMs }) => startedMs));
    const known = taken.map(({ snapshot, time }) => ({ snapshot, timeMs: Date.parse(time) }));
    const judged = known.filter(({ timeMs }) => timeMs <= lastRetainMs).map(({ timeMs }) => timeMs);
    const expected = promised(judged, retention);
    const proven = bodiesOf(events, 'proof.recorded').findLast(
      (body) => body.source === source && body.state === 'proven',
    )?.snapshot;
    const own = listed.filter(({ tags = [] }) => tags.includes(`source:${source}`));
    const there = new Set(own.map(({ id }) => id));
    for (const { snapshot, timeMs } of known) {
      const isExpected = expected.has(timeMs) || timeMs > lastRetainMs;
      // What was proven last is never let go.
      const mayStay = isExpected || snapshot === proven;
      const when = new Date(timeMs).toISOString();
      if (isExpected && !there.has(snapshot)) verdict.faults.push(`${source} of ${when} was promised and is gone`);
      if (!mayStay && there.has(snapshot)) verdict.faults.push(`${source} of ${when} was to go and is there`);
    }
    if (own.length === 0) verdict.faults.push(`${source} has no snapshot`);
    const step = Math.max(1, Math.ceil(own.length / RESTORED_OF_SOURCE));
    for (let index = 0; index < own.length; index += step) {
      const { status, errorOutput } = restic(repository, ['restore', own[index]!.id, '--target', target], {
        password,
        mayFail: true,
      });
      if (status !== 0) verdict.faults.push(`${source} of ${own[index]!.time} does not come back: ${errorOutput}`);
      count(verdict, 'snapshots restored');
    }
    count(verdict, 'backups taken', taken.length);
    count(verdict, 'snapshots kept', own.length);
  }
  rmSync(target, { recursive: true, force: true });
  const { status, errorOutput } = restic(repository, ['check', '--read-data'], { password, mayFail: true });
  if (status !== 0) verdict.faults.push(`restic finds the repository damaged: ${errorOutput}`);
}

/** Every moment that a task was due at has a run of it that began then, or the first one after the daemon came back. */
function judgeDue(
  kind: 'verify',
  promises: Scenario['verifications'],
  { events, fromMs, untilMs, away }: Simulated,
  verdict: Verdict,
): void {
  for (const [name, days] of Object.entries(promises)) {
    const runs = runsOf(events, `${kind}:${name}`);
    for (const dueMs of dueDays(days, fromMs + 1, untilMs - 2 * HOUR_MS)) {
      const absence = away.find((each) => each.fromMs <= dueMs && dueMs < each.untilMs);
      const expectedMs = absence?.untilMs ?? dueMs;
      const isRun = runs.some(({ startedMs }) => startedMs >= expectedMs && startedMs <= expectedMs + HOUR_MS);
      if (!isRun) verdict.faults.push(`${kind} ${name} of ${new Date(dueMs).toISOString()} did not run`);
      count(verdict, `${kind} runs due`);
    }
  }
}

/** Raised while it lasts; told at once, after 30 and after 60 minutes to whose turn it is; resolved at last, and that told too. */
function judgeFailure(failure: Failure, told: readonly Told[], { events, untilMs }: Simulated, verdict: Verdict): void {
  const { alert, fromMs, name } = failure;
  if (alert === undefined || failure.untilMs >= untilMs) return;
  count(verdict, 'failures');
  const raised = events.find(
    (event) =>
      event.kind === 'alert.raised' &&
      event.body.rule === alert.rule &&
      event.body.subject === alert.subject &&
      Date.parse(event.time) >= fromMs &&
      Date.parse(event.time) <= failure.untilMs + HOUR_MS,
  );
  if (raised?.kind !== 'alert.raised') {
    verdict.faults.push(`${name}: ${alert.rule} of ${alert.subject} was not raised`);
    return;
  }
  if (raised.body.severity !== alert.severity) verdict.faults.push(`${name}: raised as ${raised.body.severity}`);
  const raisedMs = Date.parse(raised.time);
  const resolved = events.find((event) => event.kind === 'alert.resolved' && event.body.alert === raised.body.alert);
  const resolvedMs = resolved === undefined ? Number.POSITIVE_INFINITY : Date.parse(resolved.time);
  if (resolved === undefined) verdict.faults.push(`${name}: never resolved`);
  const isPagerDown = alert.rule === 'channel-failed' && alert.subject === 'pager';
  const ladder: [afterMs: number, whom: string][] = [
    ...(isPagerDown ? [] : [[0, 'pager'] as [number, string]]),
    ...(alert.severity === 'p1' ? [[0, 'lead@omni.example'] as [number, string]] : []),
    [30 * MINUTE_MS, 'lead@omni.example'],
    [60 * MINUTE_MS, 'cto@omni.example'],
  ];
  for (const [afterMs, whom] of ladder) {
    const atMs = raisedMs + afterMs;
    if (atMs >= resolvedMs) continue;
    const isTold = told.some(
      (each) => each.whom === whom && each.atMs === atMs && each.text.includes(raised.body.alert),
    );
    const isToldBefore = told.some((each) => each.whom === whom && each.atMs >= raisedMs && each.atMs < atMs);
    if (!isTold && !isToldBefore) {
      verdict.faults.push(`${name}: ${whom} was not told ${afterMs / MINUTE_MS} minutes after ${raised.time}`);
    }
    count(verdict, 'rungs told');
  }
  const isOverTold =
    isPagerDown ||
    told.some((each) => each.whom === 'pager' && each.what === 'resolve' && each.text.includes(raised.body.alert));
  if (resolved !== undefined && !isOverTold) verdict.faults.push(`${name}: the pager was not told that it is over`);
}

/** Nothing is open at the end, and nobody is told of what is not in the ledger. */
function judgeAlerts({ events }: Simulated, verdict: Verdict): void {
  const over = new Set(bodiesOf(events, 'alert.resolved').map(({ alert }) => alert));
  for (const { alert, rule, subject, message } of bodiesOf(events, 'alert.raised')) {
    count(verdict, 'alerts raised');
    if (!over.has(alert)) verdict.faults.push(`still open at the end: ${rule} of ${subject}: ${message}`);
  }
}

function runsOf(events: readonly LedgerEvent[], task: string): { startedMs: number; outcome: string }[] {
  const outcomes = new Map(bodiesOf(events, 'run.finished').map(({ run, outcome }) => [run, outcome]));
  return events.flatMap((event) =>
    event.kind === 'run.started' && event.body.task === task
      ? [{ startedMs: Date.parse(event.time), outcome: outcomes.get(event.body.run) ?? 'unknown' }]
      : [],
  );
}

function bodiesOf<Kind extends LedgerEvent['kind']>(
  events: readonly LedgerEvent[],
  kind: Kind,
): Extract<LedgerEvent, { kind: Kind }>['body'][] {
  return events.flatMap((event) => (event.kind === kind ? [event.body as never] : []));
}

function count(verdict: Verdict, what: string, by = 1): void {
  verdict.counts[what] = (verdict.counts[what] ?? 0) + by;
}
