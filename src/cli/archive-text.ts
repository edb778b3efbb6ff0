import { formatDuration, formatSize } from '../foundation/units.ts';
import type { ArchiveOutcome } from '../operations/index.ts';
import { errorDetails, indent } from './errors.ts';
import { bad, doubtful, faint, good, oneLine, shortId, shownTime } from './text.ts';

/** What came of copying to an archive, for people. */
export function describeArchive({ archive, from, sources, error, notes, nextDue, durationMs }: ArchiveOutcome): string {
  const next = nextDue === undefined ? '' : `; the next copy is due ${shownTime(nextDue)}`;
  const isIdle = sources.length > 0 && sources.every(({ outcome }) => outcome === 'not-due');
  const failures = sources.filter(({ outcome }) => outcome === 'failed').length + (error === undefined ? 0 : 1);
  const isAllWrong = failures >= Math.max(1, sources.length);
  const label = isAllWrong
    ? bad('failed')
    : failures > 0
      ? doubtful('archived in part')
      : isIdle
        ? faint('not due')
        : good('archived');
  return [
    `${label} ${from} to ${archive} in ${formatDuration(durationMs)}${next}`,
    ...(error === undefined ? [] : [oneLine`${error.message}`, ...errorDetails(error)].map(indent)),
    ...sources.flatMap(describeSource).map(indent),
    ...notes.map((note) => oneLine`  ${note}`),
  ].join('\n');
}

function describeSource(each: ArchiveOutcome['sources'][number]): string[] {
  switch (each.outcome) {
    case 'failed':
      return [oneLine`${bad('failed')} ${each.source}: ${each.error.message}`, ...errorDetails(each.error)];
    case 'not-due':
      return [
        faint(each.due === undefined ? `${each.source}: no schedule` : `${each.source}: due ${shownTime(each.due)}`),
      ];
    case 'existed':
      return [faint(`${each.source} of ${shownTime(each.time)} was there already as ${shortId(each.copy)}`)];
    case 'copied':
      return [`${each.source} of ${shownTime(each.time)} is ${shortId(each.copy)} there: ${formatSize(each.bytes)}`];
  }
}
