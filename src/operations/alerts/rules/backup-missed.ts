import { nextDue } from '../../../schedule/index.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { ArchiveFacts, Facts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleRuns, exampleSource } from './example.ts';
import { moment, times } from './words.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A quarter of the time between two backups may pass before one that did not begin is missed, within these. */
const SHORTEST_GRACE_MS = 10 * MINUTE_MS;
const LONGEST_GRACE_MS = 60 * MINUTE_MS;
/** What was missed while nobody was there is told for so long, even where it is made up for at once. */
const TOLD_FOR_MS = 15 * MINUTE_MS;

/** A backup that was due did not begin, or nobody was there for it; or a copy to an archive is overdue. */
export const backupMissed: AlertRule = {
  basis: 'sources',
  find: (facts) => [
    ...facts.sources.flatMap((each) => missedBackup(facts, each)),
    ...facts.archives.flatMap((each) => overdueCopies(each)),
  ],
  example(plan, _rule, nowMs) {
    const facts = exampleSource(plan);
    const missed = { fromMs: nowMs - DAY_MS, toMs: nowMs, count: 1, foundMs: nowMs };
    const runs = exampleRuns(`backup:${facts.source.name}`, { missed });
    const example = exampleFacts(plan, nowMs, { sources: [facts] });
    return { ...example, record: { ...example.record, runs } };
  },
};

function missedBackup(facts: Facts, { source, backups }: SourceFacts): Found[] {
  const { name, schedule } = source;
  const run = facts.record.runs.get(`backup:${name}`);
  if (run?.runningMs !== undefined) return [];
  const tried = backups.map(({ timeMs, durationMs }) => timeMs - durationMs);
  const startedMs = Math.max(run?.startedMs ?? Number.NEGATIVE_INFINITY, ...tried);
  const common = {
    subject: name,
    endangers: `what changed in ${name} since its last backup: it would be lost`,
    command: `holdfast backup ${name}`,
  };
  const { missed } = run ?? {};
  if (missed !== undefined && (startedMs < missed.foundMs || facts.nowMs - missed.foundMs < TOLD_FOR_MS)) {
    const why = missed.isBusy
      ? 'the one before it, or what it had to wait for, took too long'
      : 'nobody was there to run it';
    const message = `the backup of ${name} was missed ${times(missed.count)} from ${moment(missed.fromMs)} to ${moment(missed.toMs)}: ${why}`;
    return [{ ...common, message, sinceMs: missed.fromMs }];
  }
  if (schedule === undefined || schedule.kind === 'continuous') return [];
  const { timezone } = facts.plan;
  const dueMs = nextDue(schedule, Number.isFinite(startedMs) ? startedMs : facts.sinceMs, timezone);
  if (dueMs === undefined) return [];
  const periodMs = (nextDue(schedule, dueMs, timezone) ?? dueMs) - dueMs;
  const graceMs = Math.min(LONGEST_GRACE_MS, Math.max(SHORTEST_GRACE_MS, periodMs / 4));
  if (facts.nowMs <= dueMs + graceMs) return [];
  return [{ ...common, message: `the backup of ${name} that was due at ${moment(dueMs)} did not run`, sinceMs: dueMs }];
}

function overdueCopies({ archive, overdue }: ArchiveFacts): Found[] {
  if (overdue.length === 0) return [];
  const names = overdue.map(({ source }) => source).join(', ');
  const firstMs = Math.min(...overdue.map(({ dueMs }) => dueMs));
  return [
    {
      subject: archive,
      message: `the copy of ${names} to the archive ${archive} that was due at ${moment(firstMs)} is not there`,
      sinceMs: firstMs,
      endangers: `what only ${archive} keeps for long`,
      command: `holdfast replicate ${archive}`,
    },
  ];
}
