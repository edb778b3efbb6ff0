import { formatDuration } from '../foundation/units.ts';
import type { DrillTimes } from '../operations/index.ts';
import { bad, doubtful, faint, good, shownTime, table } from './text.ts';

/** What drills of runbooks have measured: a line for each runbook. */
export function drillTable(runbooks: readonly DrillTimes[]): string {
  return table([['runbook', 'RTO promised', 'drills', 'usual', 'worst', 'last drill', ''], ...runbooks.map(row)]);
}

function row({ runbook, promisedMs, drills, medianMs, maxMs, isMissed }: DrillTimes): string[] {
  const last = drills.at(-1);
  const took = last?.rtoMs === undefined ? '' : ` in ${formatDuration(last.rtoMs)}`;
  return [
    runbook,
    shown(promisedMs),
    String(drills.length),
    shown(medianMs),
    (isMissed ? bad : good)(shown(maxMs)),
    last === undefined ? faint('never') : shownTime(last.time),
    last === undefined ? '' : (last.outcome === 'done' ? good : doubtful)(`${last.outcome}${took}`),
  ];
}

function shown(milliseconds: number | undefined): string {
  return milliseconds === undefined ? faint('-') : formatDuration(milliseconds);
}
