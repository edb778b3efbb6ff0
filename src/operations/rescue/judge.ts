import { EXIT, type ExitCode } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { Plan } from '../../plan/index.ts';
import type { RescueMember } from './bring-back.ts';

/** What a rescue came to. */
export interface Judged {
  outcome: 'done' | 'partial' | 'missed' | 'failed';
  /** The plan's objective. */
  rtoMs?: number;
  /** What is promised and was not kept, in words. */
  missed: string[];
}

/** Holds what came back against what was promised. Pure. @param durationMs since the disaster */
export function judge(
  plan: Pick<Plan, 'objectives' | 'sources'>,
  members: readonly RescueMember[],
  { sinceMs, durationMs }: { sinceMs: number; durationMs: number },
): Judged {
  const { rtoMs } = plan.objectives;
  const late =
    rtoMs !== undefined && durationMs > rtoMs
      ? [`everything took ${formatDuration(durationMs)}, and ${formatDuration(rtoMs)} is promised`]
      : [];
  const missed = [...late, ...members.flatMap((member) => missedBy(plan, member, sinceMs))];
  return { outcome: outcomeOf(members, missed), ...(rtoMs !== undefined && { rtoMs }), missed };
}

function missedBy({ sources }: Pick<Plan, 'sources'>, member: RescueMember, sinceMs: number): string[] {
  const { source, proof } = member;
  const failed =
    proof !== undefined && proof.state === 'failed' ? [`${source}: it was not proven, ${reasonOf(proof)}`] : [];
  if (member.outcome === 'failed') return failed;
  const rpoMs = sources.get(source)?.objectives.rpoMs;
  const lostMs = sinceMs - Date.parse(member.time);
  if (rpoMs === undefined || lostMs <= rpoMs) return failed;
  return [
    ...failed,
    `${source}: the last ${formatDuration(lostMs)} are lost, and ${formatDuration(rpoMs)} is promised`,
  ];
}

function reasonOf({ checksFailed, reason }: NonNullable<RescueMember['proof']>): string {
  return reason ?? `these checks failed: ${checksFailed.join(', ')}`;
}

function outcomeOf(members: readonly RescueMember[], missed: readonly string[]): Judged['outcome'] {
  if (members.every(({ outcome }) => outcome === 'failed')) return 'failed';
  if (members.some((member) => member.outcome !== 'complete')) return 'partial';
  const isUnproven = members.some(({ proof, unproven }) => proof?.state === 'not-provable' || unproven !== undefined);
  if (missed.length > 0) return 'missed';
  return isUnproven ? 'partial' : 'done';
}

/** What a rescue ends with; where nothing came back, what kept all of it from coming. */
export function rescueExit({ outcome, members }: Judged & { members: readonly RescueMember[] }): ExitCode {
  if (outcome !== 'failed') return { done: EXIT.done, partial: EXIT.partial, missed: EXIT.missed }[outcome];
  const exits = new Set(members.flatMap((member) => (member.outcome === 'failed' ? [member.error.exitCode] : [])));
  return exits.size === 1 ? [...exits][0]! : EXIT.failed;
}
