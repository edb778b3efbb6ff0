/** Incidents for people: one as a whole, what changes in it, and what a runbook would do. */
import { EXIT, type ExitCode } from '../foundation/errors.ts';
import { formatDuration } from '../foundation/units.ts';
import type { ForeseenRun, ForeseenStep, RunView, StepView } from '../recovery/index.ts';
import { bad, doubtful, faint, good, ofOthers, oneLine, shownTime, strong, table } from './text.ts';

/** What a command ends with that ran the steps of an incident. */
export function runExit({ state, outcome }: Pick<RunView, 'state' | 'outcome'>): ExitCode {
  if (state !== 'closed') return EXIT.failed;
  if (outcome === 'done') return EXIT.done;
  if (outcome === 'partial') return EXIT.partial;
  return outcome === 'missed' ? EXIT.missed : EXIT.failed;
}

export function incidentText(view: RunView): string {
  const { id, runbook, scenario, severity, startedBy, startedAt, standing = [], notes } = view;
  const lines = [
    `${strong(`${runbook}: ${scenario}`)}  ${severity}  ${id}  ${shownState(view)}`,
    `since ${shownTime(view.since)}, begun ${shownTime(startedAt)} by ${startedBy}${view.acknowledgedBy === undefined ? '' : `, seen to by ${view.acknowledgedBy}`}`,
    ...clocks(view),
    '',
    stepsTable(view.steps),
    ...waitingLines(view),
    ...(notes.length === 0
      ? []
      : ['', ...notes.map(({ time, by, text }) => `${shownTime(time)} ${ofOthers(`${by}: ${text}`)}`)]),
    ...(standing.length === 0 ? [] : ['', 'What is left as it is:', ...standing.map((each) => oneLine`  ${each}`)]),
  ];
  lines.push(...keptLines(view));
  if (view.state !== 'closed') lines.push('', hint(view));
  return lines.join('\n');
}

function keptLines({ kept: left }: RunView): string[] {
  if (left === undefined) return [];
  const { until, host, kept } = left;
  const places = kept.map(
    ({ source, place }) => oneLine`  ${source}: ${place ?? 'not kept, since its sandbox has it in memory alone'}`,
  );
  return ['', `What was restored stays on ${host} until ${shownTime(until)}, and is removed then:`, ...places];
}

/** What changes all the time while it is under way. */
export function panelLines(view: RunView): string[] {
  return [...clocks(view), ...stepsTable(view.steps).split('\n'), ...waitingLines(view)];
}

function hint({ id, state }: RunView): string {
  if (state === 'stopped')
    return `Try what failed again with \`holdfast incident resume ${id}\`, or end it with \`holdfast incident abort ${id} --why TEXT\`.`;
  return `Where its process is gone, go on with \`holdfast incident resume ${id}\`.`;
}

function shownState({ state, outcome, why }: RunView): string {
  if (state !== 'closed') return doubtful(state);
  if (outcome === 'done') return good('done');
  const word = oneLine`${outcome}${why === undefined ? '' : `: ${why}`}`;
  return outcome === 'partial' || outcome === 'missed' ? doubtful(word) : bad(word);
}

function clocks({ rtoMs, rpoMs, objectives, isRestored, breach }: RunView): string[] {
  const rto =
    rtoMs === undefined ? 'RTO not known' : `${isRestored ? 'RTO' : 'down for'} ${against(rtoMs, objectives.rtoMs)}`;
  const rpo = rpoMs === undefined ? [] : [`data lost ${against(rpoMs, objectives.rpoMs)}`];
  const told =
    breach?.reportedTo === undefined
      ? `report it to the authority by ${shownTime(breach?.reportBy ?? '')}`
      : `reported to ${breach.reportedTo}`;
  return [[rto, ...rpo].join(', '), ...(breach === undefined ? [] : [bad(`breach of personal data: ${told}`)])];
}

function against(actualMs: number, promisedMs: number | undefined): string {
  const actual = formatDuration(actualMs);
  if (promisedMs === undefined) return actual;
  return (actualMs > promisedMs ? bad : good)(`${actual} of ${formatDuration(promisedMs)}`);
}

const SHOWN_STATES: Partial<Record<StepView['state'], (text: string) => string>> = {
  ...{ done: good, partial: doubtful, waiting: doubtful, running: strong, pending: faint, skipped: faint },
  ...{ failed: bad, 'timed-out': bad, died: bad },
};

function stepsTable(steps: readonly StepView[]): string {
  const rows = steps.map(({ step, do: kind, title, state, durationMs, withinMs, attempt, summary, error }) => [
    SHOWN_STATES[state]?.(state) ?? state,
    step,
    title ?? kind,
    durationMs === undefined || state === 'skipped' ? '' : formatDuration(durationMs),
    withinMs === undefined
      ? ''
      : (durationMs ?? 0) > withinMs
        ? bad(`of ${formatDuration(withinMs)}`)
        : `of ${formatDuration(withinMs)}`,
    oneLine`${attempt > 1 ? `${attempt}. attempt: ` : ''}${error?.message ?? summary ?? ''}`,
  ]);
  return table([['', 'step', 'what', 'took', '', ''], ...rows]);
}

function waitingLines({ steps }: RunView): string[] {
  return steps.flatMap(({ step, waitsFor }) => {
    if (waitsFor === undefined) return [];
    const { question, of, count, agreed, commands } = waitsFor;
    const who =
      of === undefined
        ? ''
        : ` (${count} of ${of.join(', ')}${agreed.length === 0 ? '' : `; agreed: ${agreed.join(', ')}`})`;
    return [
      '',
      doubtful(oneLine`${step} waits: ${question}${who}`),
      ...commands.map((command) => oneLine`  ${command}`),
    ];
  });
}

/** What has changed since it was shown last: a line for each. */
export function changedLines(before: RunView | undefined, now: RunView): string[] {
  return now.steps.flatMap((step) => {
    const was = before?.steps.find((each) => each.step === step.step);
    if (was?.state === step.state && was.attempt === step.attempt) return [];
    if (before === undefined && step.state === 'pending') return [];
    const { error, summary, waitsFor, durationMs } = step;
    const took =
      durationMs === undefined || !['done', 'partial', 'failed', 'timed-out'].includes(step.state)
        ? ''
        : ` after ${formatDuration(durationMs)}`;
    const what = error?.message ?? summary;
    const line = oneLine`${step.step}: ${step.state}${took}${what === undefined ? '' : `: ${what}`}`;
    return [
      line,
      ...(waitsFor === undefined
        ? []
        : [oneLine`  ${waitsFor.question}`, ...waitsFor.commands.map((each) => oneLine`  ${each}`)]),
    ];
  });
}

export function foreseenText({ runbook, scenario, steps, obstacles, ...told }: ForeseenRun): string {
  const time = expectedText(told);
  const found =
    obstacles === 0 ? good('nothing is in its way') : bad(obstacles === 1 ? '1 obstacle' : `${obstacles} obstacles`);
  return [`${strong(`${runbook}: ${scenario}`)}  ${time}, ${found}`, ...steps.flatMap(foreseenLines)].join('\n');
}

function expectedText({
  objectives: { rtoMs },
  knownMs,
  unknown,
}: Pick<ForeseenRun, 'objectives' | 'knownMs' | 'unknown'>): string {
  const promised = rtoMs === undefined ? '' : formatDuration(rtoMs);
  if (knownMs === 0 && unknown.length > 0)
    return `how long it takes is not known${promised === '' ? '' : `; promised are ${promised}`}`;
  const without = unknown.length === 0 ? '' : `, and what ${unknown.join(', ')} take`;
  return `about ${formatDuration(knownMs)}${without}${promised === '' ? '' : ` of ${promised}`}`;
}

function foreseenLines(step: ForeseenStep): string[] {
  const { step: id, do: kind, title, does, expectedMs, withinMs, obstacles, byHand, when, drilledAt } = step;
  const times = [
    ...(expectedMs ? [`about ${formatDuration(expectedMs)}`] : []),
    ...(withinMs === undefined ? [] : [`within ${formatDuration(withinMs)}`]),
    ...(drilledAt === undefined ? ['never drilled'] : [`drilled ${shownTime(drilledAt)}`]),
  ];
  return [
    '',
    oneLine`${strong(id)}  ${title ?? kind}${times.length === 0 ? '' : `  ${times.join(', ')}`}${when === undefined ? '' : faint(`  when ${when}`)}`,
    oneLine`  ${does}`,
    ...obstacles.map((each) => oneLine`  ${bad('obstacle')} ${each}`),
    ...byHand.map((line) => faint(`  ${line}`)),
  ];
}
