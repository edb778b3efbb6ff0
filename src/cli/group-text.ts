import { formatDuration, formatSize } from '../foundation/units.ts';
import type { GroupMember, GroupPoint, GroupProof, GroupRestored, MissingPoint } from '../operations/index.ts';
import { errorDetails, indent } from './errors.ts';
import { bad, counted, doubtful, good, oneLine, shortId, shownTime, table } from './text.ts';

/** Of what a group is brought back from, for a person to see before it is. */
export function describePoints(points: readonly (GroupPoint | MissingPoint)[]): string[] {
  return points.map((point) =>
    'error' in point
      ? oneLine`${point.source}: ${point.error.message}`
      : `${point.source}: ${shownTime(point.time)}, ${formatDuration(point.skewMs)} before${point.isCoordinated ? ', taken together' : ''}`,
  );
}

export function describeGroupRestored({ group, at, members, skewMs, maxSkewMs, notes }: GroupRestored): string {
  const back = members.filter(({ outcome }) => outcome !== 'failed').length;
  const isWhole = members.every(({ outcome }) => outcome === 'complete');
  const state = isWhole ? good('restored') : back > 0 ? doubtful('restored in part') : bad('failed');
  const rows = members.map((member) => [
    paint(member.outcome),
    member.source,
    ...pointCells(member.point),
    member.target,
    member.outcome === 'failed' ? '' : formatSize(member.restored.bytes),
  ]);
  const tooFar = maxSkewMs !== undefined && skewMs > maxSkewMs;
  return [
    `${state} ${group} at ${shownTime(at)}: ${back} of ${counted(members.length, 'source')}`,
    table([['outcome', 'source', 'recovery point', 'skew', 'target', 'size'], ...rows]),
    ...members.flatMap(detailsOf).map(indent),
    ...(tooFar ? [bad(`the skew is more than ${formatDuration(maxSkewMs)}, which the plan allows`)] : []),
    ...notes.map(indent),
  ].join('\n');
}

export function describeGroupProof({ group, at, state, members, checks, notes }: GroupProof): string {
  const paintState = state === 'proven' ? good : state === 'failed' ? bad : doubtful;
  const rows = members.map((member) => {
    const own = 'error' in member ? 'failed' : member.proof.state;
    return [own === 'proven' ? good(own) : bad(own), member.source, ...pointCells(member.point)];
  });
  const failed = members.flatMap((member) =>
    'error' in member
      ? [oneLine`${member.source}: ${member.error.message}`]
      : [
          ...(member.proof.reason === undefined ? [] : [oneLine`${member.source}: ${member.proof.reason}`]),
          ...member.proof.checks
            .filter(({ result }) => result !== 'passed')
            .map(({ name, result, detail }) => oneLine`${member.source}: ${bad(result)} ${name}: ${detail}`),
        ],
  );
  const together = checks.map(({ name, result, detail }) => {
    const shown = result === 'passed' ? good(result) : bad(result);
    return oneLine`${shown} ${name}: ${detail}`;
  });
  return [
    `${paintState(state)}  ${group} at ${shownTime(at)}`,
    table([['state', 'source', 'recovery point', 'skew'], ...rows]),
    ...[...failed, ...together, ...notes].map(indent),
  ].join('\n');
}

function pointCells(point: GroupPoint | undefined): [string, string] {
  if (point === undefined) return ['none', ''];
  const how = point.at === undefined ? `snapshot ${shortId(point.snapshot)}` : 'by its log';
  return [`${shownTime(point.time)} (${how})`, formatDuration(point.skewMs)];
}

function detailsOf(member: GroupMember): string[] {
  const { source } = member;
  if (member.outcome === 'failed') return [oneLine`${source}: ${member.error.message}`, ...errorDetails(member.error)];
  const { notes, problems } = member.restored;
  return [
    ...notes.map((note) => oneLine`${source}: ${note}`),
    ...problems.map(({ path, message }) => oneLine`${source}: ${path}: ${message}`),
  ];
}

function paint(outcome: GroupMember['outcome']): string {
  const style = outcome === 'complete' ? good : outcome === 'partial' ? doubtful : bad;
  return style(outcome);
}
