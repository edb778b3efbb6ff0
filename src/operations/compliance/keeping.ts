/** What was kept, where, and whether it comes back. Pure: see `Observation`. */
import type { Schedule } from '../../schedule/index.ts';
import { wasAttempted } from '../restore/attempted.ts';
import type { ComplianceFacts, KnownEvent } from './facts.ts';
import { at, claim, listed, missedDue, type Observation, type Observed, perName, span, times } from './observation.ts';

export const backups: Observation = (facts) => {
  const whole = facts.of('backup.finished').filter(({ body }) => body.only === undefined);
  const complete = whole.filter(({ body }) => body.outcome === 'complete');
  const failed = facts.of('backup.failed').filter(({ body }) => body.only === undefined);
  const ofSource = <Event extends { body: { source: string } }>(events: readonly Event[], name: string): Event[] =>
    events.filter(({ body }) => body.source === name);
  const missing = [...facts.plan.sources].flatMap(([name, { schedule }]) => {
    const [last, lastFailed] = [ofSource(complete, name).at(-1), ofSource(failed, name).at(-1)];
    if (last === undefined) return [`no complete backup of ${name} was taken`];
    if (lastFailed !== undefined && lastFailed.timeMs > last.timeMs)
      return [`the last backup of ${name}, at ${at(lastFailed.timeMs)}, failed: ${lastFailed.body.message}`];
    return missedSince(facts, schedule, last.timeMs, `complete backup of ${name}`);
  });
  const missed = facts.of('run.missed').filter(({ body }) => body.task.startsWith('backup:'));
  const missedCount = missed.reduce((sum, { body }) => sum + body.count, 0);
  const partial = whole.length - complete.length;
  return {
    claims: claim(
      `${times(complete.length, 'complete backup')} (${perName(complete.map(({ body }) => body.source))})`,
      complete,
    ),
    missing,
    remarks: [
      ...(failed.length > 0
        ? [`${times(failed.length, 'backup')} failed (${perName(failed.map(({ body }) => body.source))})`]
        : []),
      ...(partial > 0 ? [`${times(partial, 'backup')} could not read all of the source`] : []),
      ...(missedCount > 0 ? [`${times(missedCount, 'backup was', 'backups were')} due and did not run`] : []),
    ],
  };
};

/** What ended long before the period did shows nothing of the time after it. */
function missedSince(facts: ComplianceFacts, schedule: Schedule | undefined, lastMs: number, what: string): string[] {
  const dueMs = missedDue(facts, schedule, lastMs);
  return dueMs === undefined
    ? []
    : [`the last ${what} is of ${at(lastMs)}, and none followed that was due at ${at(dueMs)}`];
}

export const encryption: Observation = (facts) => {
  const stored = facts.of('backup.finished');
  return {
    claims: claim(
      `${times(stored.length, 'backup')} stored in repositories that know no other form than encrypted and authenticated (AES-256 with Poly1305)`,
      stored,
    ),
    missing: stored.length === 0 ? ['nothing was stored, so that nothing shows that it is encrypted'] : [],
    remarks: ['what is encrypted at its source, and pseudonymised, is not in the ledger'],
  };
};

export const proofs: Observation = (facts) => {
  const recorded = facts.of('proof.recorded').filter(({ body }) => body.part === undefined);
  const proven = recorded.filter(({ body }) => body.state === 'proven');
  const missing = [...facts.plan.sources].flatMap(([name, { objectives }]) => {
    const own = recorded.filter(({ body }) => body.source === name);
    const last = own.at(-1);
    const lastProven = proven.filter(({ body }) => body.source === name).at(-1);
    if (lastProven === undefined) return [`no recovery point of ${name} was restored and validated`];
    const { rtoMs, proofMs } = objectives;
    const ageMs = facts.untilMs - lastProven.timeMs;
    return [
      ...(proofMs !== undefined && ageMs > proofMs
        ? [`the last proof of ${name} was ${span(ageMs)} old at the end, and may be ${span(proofMs)} old`]
        : []),
      ...(last!.body.state === 'proven'
        ? []
        : [`the last proof of ${name}, at ${at(last!.timeMs)}, is not one: ${last!.body.state}`]),
      ...(rtoMs !== undefined && lastProven.body.durationMs > rtoMs
        ? [`the last restore of ${name} took longer than its objective for the recovery time`]
        : []),
    ];
  });
  const failed = recorded.length - proven.length;
  return {
    claims: claim(
      `${times(proven.length, 'recovery point')} restored in a sandbox and validated (${perName(proven.map(({ body }) => body.source))})`,
      proven,
    ),
    missing,
    remarks: failed === 0 ? [] : [`${times(failed, 'proof')} failed, or could not be made`],
  };
};

export const integrity: Observation = (facts) => {
  const clean = facts.of('check.finished').filter(({ body }) => body.clean);
  const checked = facts.of('snapshot.checked').filter(({ body }) => body.state === 'checked');
  const dirty = facts.of('check.finished').filter(({ body }) => !body.clean);
  const damaged = facts.of('snapshot.checked').filter(({ body }) => body.state === 'failed');
  const isOpen = ({ timeMs, body }: KnownEvent<'check.finished'>): boolean =>
    !clean.some((later) => later.timeMs > timeMs && later.body.repository === body.repository);
  const open = dirty.filter(isOpen);
  const isDamagedStill = ({ timeMs, body }: KnownEvent<'snapshot.checked'>): boolean =>
    !checked.some((later) => later.timeMs > timeMs && later.body.tree === body.tree) &&
    !clean.some(
      ({ timeMs: laterMs, body: { readData, subset } }) => laterMs > timeMs && readData && subset === undefined,
    );
  const damagedStill = damaged.filter(isDamagedStill);
  return {
    claims: [
      ...claim(`${times(clean.length, 'check')} of whole repositories, without an error`, clean),
      ...claim(`${times(checked.length, 'recovery point')} read to the last byte and authenticated`, checked),
    ],
    missing: [
      ...(clean.length + checked.length === 0 ? ['no stored data was checked and found right'] : []),
      ...open.map(
        ({ timeMs, body }) =>
          `the check of ${body.repository} at ${at(timeMs)} found ${times(body.errors, 'error')}, and no later one says that they are gone`,
      ),
      ...damagedStill.map(
        ({ timeMs, body }) =>
          `the recovery point ${body.snapshot.slice(0, 8)} of ${body.source} was found damaged at ${at(timeMs)}, and nothing says that it is whole again`,
      ),
    ],
    remarks:
      damaged.length === 0
        ? []
        : [`${times(damaged.length, 'recovery point was', 'recovery points were')} found damaged`],
  };
};

/** Copies in another place. */
export const copies: Observation = (facts) => {
  const { claims, missing, planned } = copiesIn(facts);
  const none = 'the plan keeps no copy in another place: neither mirror nor archive';
  return { claims, missing: planned === 0 ? [none] : missing };
};

/** What goes on where one place is gone: copies of the data, and servers that can take over. */
export const redundancy: Observation = (facts) => {
  const { claims, missing, planned } = copiesIn(facts);
  const standbys = [...facts.plan.standbys.keys()];
  const seen = facts
    .of('watch.summarised')
    .filter(({ body }) => body.kind === 'standby' && body.hours.some((hour) => hour !== null && hour[0] > hour[1]));
  const unseen = standbys.filter((name) => !seen.some(({ body }) => body.name === name));
  const none = 'the plan has nothing twice: no mirror, no archive, no standby server';
  return {
    claims: [
      ...claims,
      ...claim(
        `standbys measured on ${times(seen.length, 'day')} (${perName(seen.map(({ body }) => body.name))})`,
        seen,
      ),
    ],
    missing: [
      ...(planned + standbys.length === 0 ? [none] : missing),
      ...unseen.map((name) => `nothing shows that the standby ${name} followed its primary`),
    ],
    remarks: ['other redundancy, of machines and networks, is not in the ledger'],
  };
};

function copiesIn(facts: ComplianceFacts): Pick<Observed, 'claims' | 'missing'> & { planned: number } {
  const mirrored = facts.of('mirror.finished');
  const archived = facts
    .of('archive.finished')
    .filter(({ body }) => body.sources.length > 0 && body.failed.length === 0);
  const mirrors = [...facts.plan.mirrors.keys()];
  const archives = [...facts.plan.repositories.values()].filter(({ archive }) => archive !== undefined);
  return {
    claims: [
      ...claim(
        `mirrors brought up to date ${times(mirrored.length, 'time')} (${perName(mirrored.map(({ body }) => body.mirror))})`,
        mirrored,
      ),
      ...claim(
        `${times(archived.length, 'copy', 'copies')} to an archive (${perName(archived.map(({ body }) => body.archive))})`,
        archived,
      ),
    ],
    missing: [
      ...mirrors.flatMap((name) => {
        const last = mirrored.findLast(({ body }) => body.mirror === name);
        if (last === undefined) return [`the mirror ${name} was never brought up to date`];
        return failedSince(
          facts.of('mirror.failed').filter(({ body }) => body.mirror === name),
          last.timeMs,
          `the mirror ${name}`,
        );
      }),
      ...archives.flatMap(({ name, archive }) => {
        const last = archived.findLast(({ body }) => body.archive === name);
        if (last === undefined) return [`nothing was copied to the archive ${name} without a failure`];
        const failed = facts.of('archive.failed').filter(({ body }) => body.archive === name);
        const wrong = failedSince(failed, last.timeMs, `the archive ${name}`);
        return wrong.length > 0
          ? wrong
          : missedSince(facts, archive?.schedule, last.timeMs, `copy to the archive ${name}`);
      }),
    ],
    planned: mirrors.length + archives.length,
  };
}

/** What failed last. */
function failedSince(
  failed: readonly { timeMs: number; body: { message: string } }[],
  lastMs: number,
  what: string,
): string[] {
  const last = failed.at(-1);
  if (last === undefined || last.timeMs <= lastMs) return [];
  return [`${what} could not be brought up to date at ${at(last.timeMs)}, and not since: ${last.body.message}`];
}

/** What retention removed: never without saying so. */
export const retention: Observation = (facts) => {
  const decided = facts.of('retention.decided');
  const unplanned = [...facts.plan.sources.values()]
    .filter((source) => source.retention === undefined)
    .map(({ name }) => name);
  return {
    claims: claim(
      `the retention of the plan was applied ${times(decided.length, 'time')}, each removal named before`,
      decided,
    ),
    missing: [],
    remarks: unplanned.length === 0 ? [] : [`no retention is planned for ${listed(unplanned)}: all of it is kept`],
  };
};

/** Restores to a target, beside proofs and runbooks. */
export const restores: Observation = (facts) => {
  const done = facts.of('restore.finished').filter(({ body }) => body.outcome === 'complete');
  const failed = facts.of('restore.failed').filter(({ body }) => wasAttempted(body.code));
  return {
    claims: claim(`${times(done.length, 'restore')} to a target, complete`, done),
    missing: [],
    remarks: failed.length === 0 ? [] : [`${times(failed.length, 'restore')} failed`],
  };
};
