/** The report of an incident or a drill, for people. Pure. */
import { formatDuration } from '../../foundation/units.ts';
import { type Block, type Document, list, paragraph, section, table } from '../../report/index.ts';
import type { Kept, ReportedStep, RunReport } from './run-report.ts';

export function runDocument(report: RunReport): Document {
  const { kind, id, scenario, timeline, notes, earlier, standing } = report;
  return {
    title: `${kind === 'incident' ? 'Incident' : 'Drill'} ${id}: ${scenario}`,
    blocks: [
      paragraph(verdictOf(report), isGood(report) ? 'good' : 'bad'),
      ...table(['What', 'Value'], headRows(report)),
      ...section('Objectives', table(['Objective', 'Promised', 'Actual', 'Kept'], objectiveRows(report))),
      ...section('Budget of each step', table(STEP_COLUMNS, report.steps.map(stepRow))),
      ...section('Approvals and decisions', approvalBlocks(report)),
      ...section(
        'Timeline',
        table(
          ['When', 'Who', 'What'],
          timeline.map(({ at, by, what }) => [second(at), by, what]),
        ),
      ),
      ...section('Notes', list(notes.map((each) => `${second(each.at)}, ${each.by}: ${each.text}`))),
      ...section('Breach of personal data', breachBlocks(report)),
      ...section('What was left standing', list(standing)),
      ...section('Root cause', toFill('What happened, and why? What kept it from being noticed earlier?')),
      ...section('Lessons learned', toFill('What went well, what did not, where did luck help?')),
      ...section('Action items', table(['What', 'Who', 'Until when'], EMPTY_ROWS)),
      ...section('Review meeting', reviewBlock(report)),
      ...section('Earlier runs of this runbook', earlierBlocks(earlier)),
      ...section('Each step by hand', handBlocks(report.steps)),
      paragraph('Times are UTC. What is in this report comes from the ledger.'),
    ],
  };
}

function isGood({ outcome, rto, rpo, breach, review }: RunReport): boolean {
  const isMissed = [rto.isMissed, rpo.isMissed, breach?.isOverdue, review?.isOverdue].includes(true);
  return outcome === 'done' && !isMissed;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  done: 'Recovered as promised.',
  partial: 'Recovered in part: some steps failed, or were done in part.',
  missed: 'Recovered, and later or with a greater loss than promised.',
  failed: 'Not recovered: a step failed, and it ended there.',
  aborted: 'Aborted.',
};

function verdictOf({ outcome, kind, endedAt, why }: RunReport): string {
  if (endedAt === undefined) return `This ${kind} is still under way.`;
  const text = OUTCOMES[outcome ?? ''] ?? `Ended: ${outcome}.`;
  return outcome === 'done' || why === undefined ? text : `${text} ${why}`;
}

const SINCE: Record<RunReport['sinceFrom'], string> = {
  given: 'as was said',
  alert: 'from the alert',
  start: 'from when the runbook was started',
};

function headRows({
  runbook,
  severity,
  why,
  startedBy,
  since,
  sinceFrom,
  startedAt,
  endedAt,
  params,
}: RunReport): string[][] {
  return [
    ['Runbook', runbook],
    ['Severity', severity.toUpperCase()],
    ...(why === undefined ? [] : [['Reason', why]]),
    ['Since', `${second(since)} (${SINCE[sinceFrom]})`],
    ['Started', `${second(startedAt)} by ${startedBy}`],
    ['Ended', endedAt === undefined ? 'not yet' : second(endedAt)],
    ...Object.entries(params).map(([name, value]) => [`Parameter ${name}`, value]),
  ];
}

function objectiveRows({ rto, rpo }: RunReport): string[][] {
  const row = (name: string, { promisedMs, actualMs, isMissed }: Kept): string[] => {
    const [promised, actual] = [promisedMs, actualMs].map((each) => (each === undefined ? '–' : formatDuration(each)));
    const isKept = isMissed === undefined ? '–' : isMissed ? 'MISSED' : 'yes';
    return [name, promised!, actual!, isKept];
  };
  return [row('RTO: time until people could work again', rto), row('RPO: what was lost', rpo)];
}

const STEP_COLUMNS = ['Step', 'What', 'Result', 'Began', 'Took', 'Budget', 'Over', 'What was done'];

function stepRow(step: ReportedStep): string[] {
  const { durationMs, withinMs, overMs, attempts, startedAt, summary, error } = step;
  const shown = (ms: number | undefined): string => (ms === undefined ? '–' : formatDuration(ms));
  return [
    step.title ?? step.step,
    step.do,
    attempts > 1 ? `${step.state} (attempt ${attempts})` : step.state,
    startedAt === undefined ? '–' : second(startedAt),
    ...[durationMs, withinMs, overMs].map(shown),
    error ?? summary ?? '',
  ];
}

function approvalBlocks({ approvals }: RunReport): Block[] {
  const rows = approvals.map(({ at, step, question, answer, by, as, note }) => [
    ...[second(at), step, question],
    note === undefined ? answer : `${answer}: ${note}`,
    as === undefined ? by : `${by}, as ${as}`,
  ]);
  return table(['When', 'Step', 'Asked', 'Answer', 'Who'], rows, 'Nobody was asked.');
}

function breachBlocks({ breach }: RunReport): Block[] {
  if (breach === undefined) return [];
  const { since, reportBy, reportedAt, reportedTo, isOverdue } = breach;
  const told =
    reportedAt === undefined ? 'It is not recorded that it was told.' : `${reportedTo} was told ${second(reportedAt)}.`;
  const text = `Since ${second(since)}; the authority is to be told by ${second(reportBy)} (72 hours). ${told}`;
  return [isOverdue ? paragraph(`OVERDUE. ${text}`, 'bad') : paragraph(text)];
}

function reviewBlock({ review, id, kind }: RunReport): Block {
  if (review === undefined) return paragraph('None is due yet.');
  const { due, heldAt, attended, isOverdue } = review;
  const tone = isOverdue ? 'bad' : undefined;
  if (heldAt !== undefined) {
    const text = `Held ${second(heldAt)}, due ${second(due)}. Present: ${attended.length === 0 ? 'nobody was named' : attended.join(', ')}.`;
    return paragraph(text, tone);
  }
  const command = `holdfast review record ${kind}-${id} --attended NAME`;
  const text = `Due by ${second(due)}, and not held yet${isOverdue ? ': OVERDUE' : ''}. Record it with: ${command}`;
  return paragraph(text, tone);
}

function earlierBlocks(earlier: RunReport['earlier']): Block[] {
  const rows = earlier.map(({ startedAt, kind, id, outcome, rtoMs, durationMs }) => [
    ...[second(startedAt), `${kind} ${id}`, outcome],
    ...[rtoMs, durationMs].map((each) => (each === undefined ? '–' : formatDuration(each))),
  ]);
  const never = 'It was never run before: neither drilled nor needed.';
  return table(['When', 'Run', 'Result', 'RTO', 'Took'], rows, never);
}

function handBlocks(steps: readonly ReportedStep[]): Block[] {
  return steps
    .filter(({ byHand }) => byHand.length > 0)
    .flatMap(({ step, title, byHand }) => [
      paragraph(title === undefined ? `${step}:` : `${step}, ${title}:`),
      ...list(byHand),
    ]);
}

const EMPTY_ROWS = Array.from({ length: 3 }, () => ['…', '…', '…']);

function toFill(question: string): Block {
  return paragraph(`${question} (to be filled in) …`);
}

function second(time: string): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}
