/** What was verified in some time, and what was not: from the ledger and what is stored. Pure. */
import type { LedgerEvent, ProofRecorded } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import type { SourceStatus } from '../status/status.ts';

export interface VerificationReport {
  plan: string;
  /** RFC 3339: from this moment, up to that one. */
  from: string;
  until: string;
  sources: SourceReport[];
  verifications: PlannedVerification[];
  groups: GroupReport[];
  checks: CheckReport[];
  /** What a person has to see to, a sentence each; none when all is well. */
  attention: string[];
}

/** A source as it is at the end of the time, and its proofs in it. */
export interface SourceReport
  extends Pick<SourceStatus, 'source' | 'type' | 'repository' | 'objectives' | 'actual' | 'missed'> {
  snapshots: number;
  /** RFC 3339: the time of the newest snapshot, and of the newest recovery point that is proven. */
  newest?: string;
  newestProven?: string;
  /** Oldest first. */
  proofs: ProofReport[];
}

export interface ProofReport extends Omit<ProofRecorded, 'source' | 'tree' | 'validatorVersion'> {
  /** RFC 3339: when it was made. */
  at: string;
  /** RFC 3339: the moment that was proven, where it is known still. */
  time?: string;
  /** How old the recovery point was when it was proven. */
  ageMs?: number;
  /** Whether it took no longer than the objective allows; absent where there is none, or nothing was proven. */
  withinRto?: boolean;
}

/** A verification of the plan: how often it ran, with which outcome, and how often it was due and did not. */
export interface PlannedVerification {
  name: string;
  schedule: string;
  done: number;
  failed: number;
  missed: number;
}

export interface GroupReport {
  at: string;
  group: string;
  moment: string;
  state: string;
  checksFailed: string[];
}

export interface CheckReport {
  at: string;
  repository: string;
  /** What of the data was read: `all`, a share such as `10%`, or `none`. */
  read: string;
  clean: boolean;
  errors: number;
}

export interface VerificationFacts {
  plan: Plan;
  fromMs: number;
  untilMs: number;
  /** Of all sources, as they are at the end of the time. */
  statuses: readonly SourceStatus[];
  /** Of all repositories, oldest first. */
  events: readonly LedgerEvent[];
  /** The time that a snapshot is of, in milliseconds since 1970, by its id. */
  snapshotTimes: ReadonlyMap<string, number>;
}

export function verificationReport(facts: VerificationFacts): VerificationReport {
  const { plan, fromMs, untilMs, statuses, events } = facts;
  const within = events.filter(({ time }) => Date.parse(time) >= fromMs && Date.parse(time) < untilMs);
  const sources = statuses.map((status) => sourceReport(status, within, facts));
  const verifications = plan.verifications.map(({ name, schedule }) => planned(name, schedule.text, within));
  const groups = within.flatMap(({ kind, body, time }): GroupReport[] => {
    if (kind !== 'group.verified') return [];
    return [{ at: time, group: body.group, moment: body.at, state: body.state, checksFailed: body.checksFailed }];
  });
  const checks = within.flatMap(({ kind, body, time }): CheckReport[] => {
    if (kind !== 'check.finished') return [];
    const read = body.readData ? (body.subset ?? 'all') : 'none';
    return [{ at: time, repository: body.repository, read, clean: body.clean, errors: body.errors }];
  });
  const found = { sources, verifications, groups, checks };
  return {
    ...{ plan: plan.name, from: new Date(fromMs).toISOString(), until: new Date(untilMs).toISOString() },
    ...found,
    attention: attentionOf(found),
  };
}

function sourceReport(
  { source, type, repository, objectives, actual, missed, snapshots, last, proven, provenMoment }: SourceStatus,
  within: readonly LedgerEvent[],
  { snapshotTimes }: VerificationFacts,
): SourceReport {
  const proofs = within.flatMap(({ kind, body, time: at }): ProofReport[] => {
    if (kind !== 'proof.recorded' || body.source !== source) return [];
    const { source: _source, tree: _tree, validatorVersion: _version, ...proof } = body;
    const timeMs = body.log === undefined ? snapshotTimes.get(body.snapshot) : Date.parse(body.log.time ?? '');
    const isKnown = timeMs !== undefined && !Number.isNaN(timeMs);
    return [
      {
        ...{ ...proof, at },
        ...(isKnown && { time: new Date(timeMs).toISOString(), ageMs: Math.max(0, Date.parse(at) - timeMs) }),
        ...(objectives.rtoMs !== undefined &&
          body.state === 'proven' && { withinRto: body.durationMs <= objectives.rtoMs }),
      },
    ];
  });
  const newestProven = [proven, provenMoment]
    .flatMap((each) => each?.time ?? [])
    .toSorted(byTime)
    .at(-1);
  return {
    ...{ source, type, repository, objectives, actual, missed, snapshots, proofs },
    ...(last && { newest: last.time }),
    ...(newestProven !== undefined && { newestProven }),
  };
}

function byTime(one: string, other: string): number {
  return Date.parse(one) - Date.parse(other);
}

function planned(name: string, schedule: string, within: readonly LedgerEvent[]): PlannedVerification {
  const task = `verify:${name}`;
  const outcomes = within.flatMap(({ kind, body }) =>
    kind === 'run.finished' && body.task === task ? [body.outcome] : [],
  );
  const died = within.filter(({ kind, body }) => kind === 'run.died' && body.task === task).length;
  const missed = within.flatMap(({ kind, body }) => (kind === 'run.missed' && body.task === task ? [body.count] : []));
  const done = outcomes.filter((outcome) => outcome === 'done').length;
  return {
    ...{ name, schedule, done, failed: outcomes.length - done + died },
    missed: missed.reduce((sum, count) => sum + count, 0),
  };
}

function attentionOf({
  sources,
  verifications,
  groups,
  checks,
}: Pick<VerificationReport, 'sources' | 'verifications' | 'groups' | 'checks'>): string[] {
  return [
    ...sources.flatMap(sourceAttention),
    ...groups.flatMap(({ group, state, at, checksFailed }) =>
      state === 'proven' ? [] : [`group ${group}, verified at ${at}: ${describeState(state, checksFailed)}`],
    ),
    ...verifications.flatMap(({ name, failed, missed }) => [
      ...(failed > 0 ? [`verification ${name}: ${failed} of its runs did not end as they should`] : []),
      ...(missed > 0 ? [`verification ${name}: it was due and did not run, ${missed} times`] : []),
    ]),
    ...checks.flatMap(({ repository, clean, errors, at }) =>
      clean ? [] : [`repository ${repository}: the check of ${at} found ${errors} errors`],
    ),
  ];
}

const OBJECTIVES = {
  rpo: 'its newest recovery point is older than its RPO allows',
  proof: 'its newest proven recovery point is older than its objective allows',
  rto: 'its last proof took longer than its RTO allows',
} as const satisfies Record<SourceReport['missed'][number], string>;

function sourceAttention({ source, proofs, missed, snapshots }: SourceReport): string[] {
  const failures = proofs.filter(({ state }) => state !== 'proven');
  const isProven = proofs.some(({ state, part }) => state === 'proven' && part === undefined);
  return [
    ...(snapshots === 0 ? [`${source}: there is no backup of it`] : []),
    ...(isProven || snapshots === 0 ? [] : [`${source}: nothing of it was proven in this time`]),
    ...failures.map(
      ({ at, state, checksFailed, reason, snapshot }) =>
        `${source}: the proof of snapshot ${snapshot.slice(0, 8)} at ${at}: ${describeState(state, checksFailed, reason)}`,
    ),
    ...missed.map((objective) => `${source}: ${OBJECTIVES[objective]}`),
  ];
}

function describeState(state: string, checksFailed: readonly string[], reason?: string): string {
  if (state === 'failed') return `failed: ${checksFailed.join(', ')}`;
  return `could not be made: ${reason ?? 'something that it takes is not here'}`;
}
