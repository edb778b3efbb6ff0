import { formatDuration, formatSize } from '../foundation/units.ts';
import type { Copy, GroupPoint, MissingPoint, Rescued, RescueMember } from '../operations/index.ts';
import { errorDetails, indent } from './errors.ts';
import { bad, counted, doubtful, good, oneLine, shownTime, table } from './text.ts';

/** Which copies answer, and which do not, and why. */
export function describeCopies(copies: readonly Copy[], planFrom: string): string[] {
  return [
    ...copies.map(({ name, of, place, reason }) => {
      const what = of === undefined ? name : `${name}, of ${of},`;
      return reason === undefined
        ? oneLine`${what} at ${place} answers`
        : oneLine`${what} at ${place} cannot be used: ${reason}`;
    }),
    `going by ${planFrom}`,
  ];
}

/** What can be had, and how old it is. */
export function describeHave(points: readonly (GroupPoint | MissingPoint)[], nowMs: number): string[] {
  return points.map((point) => {
    if ('error' in point) return oneLine`${point.source}: cannot be had: ${point.error.message}`;
    const age = formatDuration(Math.max(0, nowMs - Date.parse(point.time)));
    return `${point.source}: as it was at ${shownTime(point.time)}, ${age} ago${point.at === undefined ? '' : ', by its log'}`;
  });
}

export function describeMember(member: RescueMember): string[] {
  const { source, target, proof } = member;
  const proven = proof === undefined ? [] : [`${source}: ${proof.state} in a sandbox`];
  if (member.outcome === 'failed') return [...proven, oneLine`${source}: failed: ${member.error.message}`];
  if (member.isEarlier) return [`${source}: is back already, in ${target}`];
  return [...proven, `${source}: back in ${target}, ${formatSize(member.bytes)}`];
}

const STATES = {
  done: good('rescued'),
  partial: doubtful('rescued in part'),
  missed: doubtful('rescued'),
  failed: bad('failed'),
};

export function describeRescued(rescued: Rescued): string {
  const { plan, at, outcome, members, durationMs, rtoMs, missed, notes } = rescued;
  const back = members.filter((member) => member.outcome !== 'failed').length;
  const rows = members.map((member) => [
    paint(member.outcome),
    `${member.stage}. ${member.group ?? 'alone'}`,
    member.source,
    member.outcome === 'failed' ? 'none' : shownTime(member.time),
    member.proof?.state ?? '',
    member.from ?? '',
    member.target,
  ]);
  const isLate = rtoMs !== undefined && durationMs > rtoMs;
  const promised = rtoMs === undefined ? 'none is promised' : `${formatDuration(rtoMs)} are promised`;
  return [
    `${STATES[outcome]} ${plan} as it was at ${shownTime(at)}: ${back} of ${counted(members.length, 'source')}`,
    table([['outcome', 'stage', 'source', 'recovery point', 'proof', 'read from', 'target'], ...rows]),
    ...members.flatMap(detailsOf).map(indent),
    `RTO: ${(isLate ? bad : good)(formatDuration(durationMs))} since ${shownTime(rescued.since)}; ${promised}`,
    ...missed.map((each) => bad(each)),
    ...notes,
  ].join('\n');
}

function detailsOf(member: RescueMember): string[] {
  const { source } = member;
  if (member.outcome === 'failed') return [oneLine`${source}: ${member.error.message}`, ...errorDetails(member.error)];
  return [...member.notes, ...member.problems].map((each) => oneLine`${source}: ${each}`);
}

function paint(outcome: RescueMember['outcome']): string {
  const style = outcome === 'complete' ? good : outcome === 'partial' ? doubtful : bad;
  return style(outcome);
}
