import { EXIT, type ExitCode } from '../../foundation/errors.ts';
import { formatDuration, formatPercentage, formatSize } from '../../foundation/units.ts';
import type {
  ArchiveStatus,
  HealedStatus,
  MirrorStatus,
  NearForecast,
  ReachableStatus,
  RepositoryCapacity,
  SourceStatus,
} from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { drillTable } from '../drill-table.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureText, GOES_ON } from '../failure-text.ts';
import { forecastText } from '../forecast-text.ts';
import { bad, counted, doubtful, faint, good, oneLine, shortId, shownTime, table } from '../text.ts';
import { UNSIGNED } from '../unsigned.ts';

export const status: CommandDefinition = {
  name: 'status',
  summary: 'show every source: last backup, last proof, objectives and actuals',
  description: `Shows for every source when it was last backed up and proven, and RPO and RTO as promised and as they are: RPO from the newest complete recovery point, which a log that is followed makes newer, and, beside it, from the newest proven one; a log that does not go on for as long as the plan's rule \`log-stalled\` allows (5m by default), or has a gap behind the newest backup, with exit code 4; RTO as the last proof measured it, and where it will be missed before long, from when on; of each runbook what its drills took, with exit code 4 where the last one took longer than promised; how far each mirror is behind; and of each archive the newest copy of each source, and when the next is due: exit code 4 when one is overdue. A mirror or archive that cannot be reached, or whose last attempt failed, makes the exit code 1, and so does what was found damaged or missing and was put back, until a check has read all of that repository and found nothing, and a source whose newest backup is gone although nobody recorded that it was to be removed. Of a repository whose capacity the plan names, it says what it takes, how it grows, and what it will take; exit code 4 from the share on that the plan warns at. Of a repository whose objects are locked, it says what somebody hid of its snapshots, keys and ledger, with exit code 1. ${GOES_ON} Nothing is known of its sources then.`,
  examples: [{ command: 'holdfast status', does: 'is everything all right?' }],
  exits: [...REPOSITORY_EXITS, EXIT.missed],
  writes: false,
  async run({ workspace }) {
    const operations = await import('../../operations/index.ts');
    const found = await operations.reachableStatus(await workspace());
    const { sources, runbooks, mirrors, forecasts, archives, healed, damaged, capacity, hidden, unsigned, unseen } =
      found;
    const { failures: away } = found;
    const heading = [
      'source',
      'snapshots',
      'last backup',
      'proof',
      'last proven',
      'RPO now',
      'proven',
      'promised',
      'RTO measured',
      'promised',
    ];
    const moved = sources.flatMap(({ source, moved: move }) =>
      move === undefined ? [] : [`${doubtful('moved')} ${source}: it is at ${move.to} since ${shownTime(move.since)}`],
    );
    const failedBackups = sources.flatMap(({ source, failure }) =>
      failure === undefined
        ? []
        : [oneLine`${bad('failed')} ${source}: the backup of ${shownTime(failure.time)} failed: ${failure.message}`],
    );
    const lost = sources.flatMap(({ source, repository, lost: gone }) =>
      gone === undefined
        ? []
        : [
            `${bad('lost')} ${source}: its newest backup, ${shortId(gone.snapshot)} of ${shownTime(gone.time)}, is gone from ${repository}, and nobody recorded that it was to be removed: find out who removed it; \`holdfast check ${repository} --repair\` puts it back where a mirror has it, else \`holdfast backup ${source}\` takes another one`,
          ],
    );
    const ahead = sources.flatMap(({ source, ahead: time }) =>
      time === undefined
        ? []
        : [
            `${doubtful('ahead')} ${source}: its newest snapshot is of ${shownTime(time)}, which has not come: a clock is or was wrong, and how old the snapshot is cannot be told`,
          ],
    );
    const damage = damaged.map(({ message }) => oneLine`${bad('damaged')} ${message}; see \`holdfast check\``);
    return {
      exit: exitOf(found),
      json: {
        sources,
        runbooks,
        mirrors,
        forecasts,
        archives,
        healed,
        damaged: damaged.map(({ code, message }) => ({ code, message })),
        capacity,
        hidden,
        unsigned,
        unseen,
        // As the API has it, which has an error in its place.
        ...(away.length > 0 && { failures: away }),
      },
      text: [
        table([heading, ...sources.map(row)]),
        ...away.map(awayText),
        ...(runbooks.length === 0 ? [] : [drillTable(runbooks)]),
        ...sources.flatMap(logLines),
        ...sources.flatMap(momentLines),
        ...forecasts.map(forecastLine),
        ...mirrors.map(mirrorLine),
        ...archives.flatMap(archiveLines),
        ...healed.map(healedLine),
        ...moved,
        ...failedBackups,
        ...ahead,
        ...lost,
        ...damage,
        ...hidden.map(hiddenLine),
        ...unsigned.map((repository) => `${doubtful('unsigned')} the ledger of ${repository}: ${UNSIGNED}`),
        ...unseen.map(unseenLine),
        ...capacity.map(capacityLines),
      ].join('\n'),
    };
  },
};

/** Nothing is known of what could not be read: that outweighs what was missed. */
function exitOf(found: ReachableStatus): ExitCode {
  const { sources, runbooks, mirrors, archives, healed, damaged, capacity, hidden, failures } = found;
  const isMissed =
    sources.some(({ missed, log }) => missed.length > 0 || log?.stall !== undefined || (log?.gaps.length ?? 0) > 0) ||
    runbooks.some((each) => each.isMissed) ||
    capacity.some(({ isReached }) => isReached) ||
    archives.some((each) => each.sources.some(({ isOverdue }) => isOverdue));
  const failing: Failing[] = [...mirrors, ...archives, ...archives.flatMap((each) => each.sources)];
  const isWrong =
    sources.some(({ lost }) => lost !== undefined) ||
    damaged.length + healed.length + hidden.length > 0 ||
    failing.some(({ failure, error }) => (failure ?? error) !== undefined);
  if (failures.length > 0) return EXIT.failed;
  return isMissed ? EXIT.missed : isWrong ? EXIT.failed : EXIT.done;
}

function row({ source, snapshots, last, proven, provenMoment, objectives, actual, missed }: SourceStatus): string[] {
  const provenTimes = [proven, provenMoment].flatMap((each) => each?.time ?? []);
  const provenTime = provenTimes.sort((a, b) => Date.parse(a) - Date.parse(b)).at(-1);
  const measured = (value: number | undefined, isMissed: boolean): string =>
    value === undefined ? (isMissed ? bad('none') : faint('-')) : (isMissed ? bad : good)(formatDuration(value));
  const promised = (value: number | undefined): string => (value === undefined ? faint('-') : formatDuration(value));
  return [
    source,
    String(snapshots),
    last === undefined
      ? bad('never')
      : `${shownTime(last.time)}${last.outcome === 'partial' ? doubtful(' partial') : ''}`,
    last === undefined ? faint('-') : paintProof(last.proof),
    provenTime === undefined ? doubtful('never') : shownTime(provenTime),
    measured(actual.rpoMs, missed.includes('rpo')),
    measured(actual.provenRpoMs, missed.includes('proof')),
    promised(objectives.rpoMs),
    measured(actual.rtoMs, missed.includes('rto')),
    promised(objectives.rtoMs),
  ];
}

/** What could not be read, and which sources are not in the table for it. */
function awayText({ repository, error, sources }: ReachableStatus['failures'][number]): string {
  const unknown = sources.length === 0 ? [] : [`  nothing is known of its sources: ${sources.join(', ')}`];
  return [failureText(repository, error), ...unknown].join('\n');
}

function unseenLine(repository: string): string {
  return `${doubtful('unseen')} ${repository}: these credentials may not list versions, so that nobody knows whether something is hidden; \`holdfast doctor\` says what they lack`;
}

function hiddenLine({ repository, objects }: { repository: string; objects: string[] }): string {
  return oneLine`${bad('hidden')} ${repository}: somebody hid ${counted(objects.length, 'object')} of it; see \`holdfast check ${repository} --lock\``;
}

/** When a recovery will take too long. */
function forecastLine({ source, forecast }: NearForecast): string {
  return `${doubtful('forecast')} ${source}: RTO ${forecastText(forecast)}; see \`holdfast objectives ${source}\``;
}

/** Of a moment whose proof did not succeed. */
function momentLines({ source, unprovenMoment }: SourceStatus): string[] {
  if (unprovenMoment === undefined) return [];
  const { state, target, triedAt, snapshot } = unprovenMoment;
  const what = state === 'failed' ? 'failed' : 'could not be made here';
  return [
    oneLine`${bad(state)} ${source}: the proof of ${target}, of ${shownTime(triedAt)} from snapshot ${shortId(snapshot)}, ${what}`,
  ];
}

/** What a repository takes, and where that leads. */
function capacityLines(capacity: RepositoryCapacity): string {
  const { repository, usedBytes, ofBytes, isReached, growthPerDayBytes, fullAt, atEndOfRetentionBytes } = capacity;
  const willNotFit = (atEndOfRetentionBytes ?? 0) > ofBytes;
  const label = isReached ? bad('capacity') : willNotFit ? doubtful('capacity') : good('capacity');
  const parts = [`${formatSize(usedBytes)} of ${formatSize(ofBytes)} (${formatPercentage(usedBytes / ofBytes)})`];
  if (growthPerDayBytes !== undefined) parts.push(`${formatSize(growthPerDayBytes)} more a day`);
  if (fullAt !== undefined) parts.push(`full at ${shownTime(fullAt)} if nothing is removed`);
  if (atEndOfRetentionBytes !== undefined) {
    parts.push(`${formatSize(atEndOfRetentionBytes)} at most at the end of the retention`);
  }
  const bySource = capacity.sources.map((each) => {
    const more = each.growthPerDayBytes === undefined ? '' : `, ${formatSize(each.growthPerDayBytes)} more a day`;
    const end = each.atEndOfRetentionBytes;
    return `  ${each.source}: about ${formatSize(each.usedBytes)}${more}${end === undefined ? '' : `, ${formatSize(end)} at most at the end`}`;
  });
  return [`${label} ${repository}: ${parts.join('; ')}`, ...bySource].join('\n');
}

/** Up to where the log goes, and what of it is missing. */
function logLines({ source, log }: SourceStatus): string[] {
  if (log === undefined) return [];
  const gaps = log.gaps.map(
    ({ timeline, start, end }) =>
      `${bad('gap')} ${source}: the log from ${start} to ${end} of timeline ${timeline} is lost: take a backup`,
  );
  const stalled = log.stall === undefined ? [] : [stallLine(source, log.stall)];
  if (log.from === undefined || log.lsn === undefined) {
    return [
      `${doubtful('log')} ${source}: no backup is continued by a log; see \`holdfast follow\``,
      ...stalled,
      ...gaps,
    ];
  }
  const until = log.time === undefined ? `until ${log.lsn}` : `until ${shownTime(log.time)} (${log.lsn})`;
  return [`${good('log')} ${source}: continues snapshot ${shortId(log.from)} ${until}`, ...stalled, ...gaps];
}

/** Of a log that does not go on, whatever is promised. */
function stallLine(source: string, stall: NonNullable<NonNullable<SourceStatus['log']>['stall']>): string {
  if ('ahead' in stall) {
    return `${bad('stalled')} ${source}: its log is said to reach to ${shownTime(stall.ahead)}, which has not come: a clock is or was wrong, and nobody can tell whether more came; see \`holdfast doctor ${source}\``;
  }
  return `${bad('stalled')} ${source}: nothing more of its log came since ${shownTime(stall.since)}; run \`holdfast follow ${source}\``;
}

interface Failing {
  failure?: object;
  error?: object;
}

/** How far a mirror is behind, or why that is not known. */
function mirrorLine({ mirror, of, lag, mirroredAt, failure, alone, error }: MirrorStatus): string {
  if (alone !== undefined) {
    const newest = alone.newest === undefined ? '' : `, the newest of ${shownTime(alone.newest)}`;
    return `${doubtful('mirror')} ${mirror} of ${of}: it answers, with ${counted(alone.snapshots, 'snapshot')}${newest}; read it with \`--repository ${mirror}\``;
  }
  const when = mirroredAt === undefined ? 'never mirrored' : `last mirrored ${shownTime(mirroredAt)}`;
  if (error !== undefined) {
    const known = mirroredAt === undefined ? '' : `${when}; `;
    return oneLine`${bad('mirror')} ${mirror} of ${of}: ${known}it cannot be looked at: ${error.message}`;
  }
  const { snapshots = 0, logParts = 0, lagMs = 0 } = lag ?? {};
  const lacks = `behind by ${formatDuration(lagMs)}: ${counted(snapshots, 'snapshot')} and ${counted(logParts, 'part')} of logs`;
  const isBehind = snapshots + logParts > 0;
  const state = `${isBehind ? lacks : 'has all that there is'}; ${when}`;
  if (failure !== undefined) {
    return oneLine`${bad('mirror')} ${mirror} of ${of}: ${state}; the attempt of ${shownTime(failure.time)} failed: ${failure.message}`;
  }
  return `${isBehind ? doubtful('mirror') : good('mirror')} ${mirror} of ${of}: ${state}`;
}

/** What was put back, and what ends this line. */
function healedLine({ repository, objects, last }: HealedStatus): string {
  const latest = oneLine`the last at ${shownTime(last.time)}, ${last.object} from ${last.from}, since ${last.reason}`;
  return oneLine`${doubtful('healed')} ${repository}: ${counted(objects, 'object')} put back, ${latest}; look after its disk or store, then run \`holdfast check ${repository} --read-data\``;
}

/** What lies in an archive and when more is due, or why that is not known. */
function archiveLines({ archive, from, sources, failure, error }: ArchiveStatus): string[] {
  const of = `archive ${archive} of ${from}`;
  return [
    ...(error === undefined ? [] : [oneLine`${bad('failed')} ${of} cannot be looked at: ${error.message}`]),
    ...(failure === undefined
      ? []
      : [oneLine`${bad('failed')} ${of}: the copy of ${shownTime(failure.time)} failed: ${failure.message}`]),
    ...sources.map((each) => archivedLine(archive, each)),
  ];
}

function archivedLine(archive: string, each: ArchiveStatus['sources'][number]): string {
  const { source, snapshots, newest, due, isOverdue, failure } = each;
  const there =
    newest === undefined
      ? 'never archived'
      : `${counted(snapshots, 'snapshot')}, the newest of ${shownTime(newest.time)}`;
  const next =
    due === undefined
      ? isOverdue
        ? 'a copy is overdue'
        : 'copied by hand'
      : `${isOverdue ? 'a copy has been due since' : 'the next copy is due'} ${shownTime(due)}`;
  const failed = failure === undefined ? '' : oneLine`; that of ${shownTime(failure.time)} failed: ${failure.message}`;
  const label = (isOverdue || failed !== '' ? bad : newest === undefined ? doubtful : good)('archive');
  return `${label} ${archive} of ${source}: ${there}; ${next}${failed}`;
}

function paintProof(proof: NonNullable<SourceStatus['last']>['proof']): string {
  if (proof === 'proven') return good(proof);
  return proof === 'failed' || proof === 'not-provable' ? bad(proof) : doubtful(proof);
}
