import { formatDuration } from '../../../foundation/units.ts';
import { hasLog, type Source } from '../../../plan/index.ts';
import type { PlaybookFacts } from '../facts.ts';
import { retentionWords } from '../words.ts';
import { absent, against, bySchedule, type KeptPromise } from './promise.ts';

/** What is promised of sources, and of the repositories that keep them. */
export function dataPromises(facts: PlaybookFacts): KeptPromise[] {
  const { plan, showings } = facts;
  return [
    ...[...plan.sources.values()].flatMap((source) => sourcePromises(facts, source)),
    ...[...plan.groups.values()].map(({ name, sources }): KeptPromise => {
      const promised = `${sources.join(', ')} come back to one moment`;
      return { kind: 'group', subject: name, promised, ...bySchedule(facts, showings.of('group', name), undefined) };
    }),
    ...plan.verifications.map(({ name, schedule }): KeptPromise => {
      const shown = bySchedule(facts, showings.of('verification', name), schedule);
      return { kind: 'verification', subject: name, promised: schedule.text, ...shown };
    }),
    ...repositoryPromises(facts),
  ];
}

function sourcePromises(facts: PlaybookFacts, source: Source): KeptPromise[] {
  const { objectives, name, schedule, repository } = source;
  const { rpoMs, rtoMs, proofMs } = objectives;
  const of = (
    kind: KeptPromise['kind'],
    promised: string,
    rest: Omit<KeptPromise, 'kind' | 'subject' | 'promised'>,
  ) => ({
    ...{ kind, subject: name, promised },
    ...rest,
  });
  const backups = bySchedule(facts, facts.showings.of('backup', name), schedule, repository);
  return [
    ...(rpoMs === undefined ? [] : [of('rpo', formatDuration(rpoMs), rpoOf(facts, source))]),
    ...(rtoMs === undefined ? [] : [of('rto', formatDuration(rtoMs), rtoOf(facts, source))]),
    ...(proofMs === undefined ? [] : [of('proof', formatDuration(proofMs), proofOf(facts, source))]),
    ...(schedule === undefined ? [] : [of('schedule', schedule.text, backups)]),
    of('retention', retentionWords(source.retention, hasLog(source)).join('; '), retentionOf(facts, source)),
  ];
}

type Shown = Omit<KeptPromise, 'kind' | 'subject' | 'promised'>;

function rpoOf({ record, months, ...facts }: PlaybookFacts, { name, objectives, repository }: Source): Shown {
  const { status } = record.sources.get(name) ?? {};
  const ageMs = status?.actual.rpoMs;
  if (ageMs === undefined) return absent({ ...facts, record, months }, repository);
  const month = months.at(-1);
  const worstMs = month?.sources.find(({ source }) => source === name)?.rpo.maxMs;
  const worst = worstMs === undefined ? '' : `; at most ${formatDuration(worstMs)} in ${month!.period}`;
  const shownAt = new Date(facts.nowMs - ageMs).toISOString();
  return { state: against(ageMs, objectives.rpoMs), measured: `${formatDuration(ageMs)} now${worst}`, shownAt };
}

function rtoOf(facts: PlaybookFacts, { name, objectives, repository }: Source): Shown {
  const { good } = facts.showings.of('proof', name);
  if (good?.durationMs === undefined) return absent(facts, repository);
  const { durationMs, at: shownAt } = good;
  return {
    state: against(durationMs, objectives.rtoMs),
    measured: `${formatDuration(durationMs)}, restored and validated`,
    shownAt,
  };
}

function proofOf(facts: PlaybookFacts, { name, objectives, repository }: Source): Shown {
  const { status } = facts.record.sources.get(name) ?? {};
  const ageMs = status?.actual.provenRpoMs;
  const { last } = facts.showings.of('proof', name);
  const failed = last?.result === 'failed' ? `; the last one, ${last.at.slice(0, 10)}: ${last.words ?? 'failed'}` : '';
  if (ageMs === undefined) return { ...absent(facts, repository), ...(failed !== '' && { measured: failed.slice(2) }) };
  const provenAt = [status?.proven?.provenAt, status?.provenMoment?.provenAt]
    .flatMap((at) => at ?? [])
    .sort()
    .at(-1);
  return {
    state: failed === '' ? against(ageMs, objectives.proofMs) : 'missed',
    measured: `of ${formatDuration(ageMs)} ago${failed}`,
    ...(provenAt !== undefined && { shownAt: provenAt }),
  };
}

/** What is kept shows by what is there. */
function retentionOf(facts: PlaybookFacts, { name, repository }: Source): Shown {
  const known = facts.record.sources.get(name);
  if (known?.oldest === undefined) return absent(facts, repository);
  const { good } = facts.showings.of('retention', name);
  return {
    state: 'shown',
    measured: `${known.snapshots.length} kept, the oldest of ${known.oldest.slice(0, 10)}`,
    shownAt: good?.at ?? new Date(facts.nowMs).toISOString(),
  };
}

function repositoryPromises(facts: PlaybookFacts): KeptPromise[] {
  const { plan, showings } = facts;
  const { upkeep, ledger } = plan;
  const archives = [...plan.repositories.values()].flatMap(({ name, archive }) =>
    archive === undefined ? [] : [{ name, schedule: archive.schedule }],
  );
  return [
    ...[...plan.repositories.keys()].map((name): KeptPromise => {
      const shown = bySchedule(facts, showings.of('check', name), upkeep.check, name);
      return { kind: 'check', subject: name, promised: upkeep.check.text, ...shown };
    }),
    ...[...plan.mirrors.keys()].map((name): KeptPromise => {
      const shown = bySchedule(facts, showings.of('mirror', name), upkeep.replicate);
      return { kind: 'mirror', subject: name, promised: 'after every backup', ...shown };
    }),
    ...archives.map(({ name, schedule }): KeptPromise => {
      const shown = bySchedule(facts, showings.of('archive', name), schedule, name);
      return { kind: 'archive', subject: name, promised: schedule?.text ?? 'by hand', ...shown };
    }),
    ...(ledger.checkpoints === undefined
      ? []
      : [
          {
            ...{ kind: 'checkpoint' as const, subject: 'ledger', promised: ledger.checkpoints.schedule.text },
            ...bySchedule(facts, showings.of('checkpoint', ''), ledger.checkpoints.schedule),
          },
        ]),
  ];
}
