import { EXIT } from '../../foundation/errors.ts';
import { formatDuration, formatPercentage } from '../../foundation/units.ts';
import type { ObjectivesOfSource, ObjectivesReport } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { drillTable } from '../drill-table.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { forecastText } from '../forecast-text.ts';
import { bad, counted, doubtful, faint, good, oneLine, shownTime, table } from '../text.ts';

export const objectives: CommandDefinition = {
  name: 'objectives',
  arguments: '[source...]',
  summary: 'show what was promised, and what was kept of it: RPO, RTO, repairs, success',
  description:
    'Shows for each source, over a period, how old the newest complete recovery point ever was and the newest proven one, and for how long that was older than promised; what a recovery took by every proof, and when it will take longer than promised if the data grows as it did; what recoveries by each runbook took in its drills; which share of backups, proofs and restores succeeded over 7, 30 and 365 days, where a backup that was due and did not run did not; and how long recoveries took (the mean is the MTTR), and until alerts of severity p1 were resolved. For one source, the days of the period one by one. The exit code is 4 when an objective is missed now.',
  options: [{ flags: '--since <time>', description: 'from when on: RFC 3339 or `90d ago`; 30 days ago when left out' }],
  examples: [
    { command: 'holdfast objectives', does: 'were the promises kept in the last 30 days?' },
    { command: 'holdfast objectives omni-db --since "365d ago"', does: 'one source, day by day, over a year' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.missed],
  writes: false,
  async run({ arguments: [names], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const report = await operations.objectives(await workspace(), {
      sources: names as string[],
      ...(options['since'] !== undefined && { since: options['since'] as string }),
    });
    const isMissed =
      report.sources.some(({ missed }) => missed.length > 0) || report.runbooks.some((each) => each.isMissed);
    return { exit: isMissed ? EXIT.missed : EXIT.done, json: report, text: describe(report) };
  },
};

function describe(report: ObjectivesReport): string {
  const { from, to, sources, notes } = report;
  const [only] = sources;
  return [
    `from ${shownTime(from)} to ${shownTime(to)}`,
    '',
    table([
      ['RPO', 'promised', 'now', 'worst', 'too old for', 'proven: promised', 'now', 'worst', 'too old for'],
      ...sources.map(rpoRow),
    ]),
    '',
    table([['RTO', 'promised', 'proofs', 'usual', 'worst', 'forecast'], ...sources.map(rtoRow)]),
    '',
    table([
      ['succeeded', 'backups 7 d', '30 d', '365 d', 'proofs 7 d', '30 d', '365 d', 'restores 7 d', '30 d', '365 d'],
      ...sources.map(successRow),
    ]),
    ...(report.runbooks.length === 0 ? [] : ['', drillTable(report.runbooks)]),
    ...repairLines(report),
    ...(sources.length === 1 && only !== undefined ? ['', seriesTable(only)] : []),
    ...notes,
  ].join('\n');
}

function rpoRow({ source, objectives: promised, actual, rpo, proof, missed }: ObjectivesOfSource): string[] {
  return [
    source,
    shown(promised.rpoMs),
    (missed.includes('rpo') ? bad : good)(shown(actual.rpoMs, 'none')),
    shown(rpo.maxMs),
    breach(rpo.breachMs),
    shown(promised.proofMs),
    (missed.includes('proof') ? bad : good)(shown(actual.provenRpoMs, 'none')),
    shown(proof.maxMs),
    breach(proof.breachMs),
  ];
}

function rtoRow({ source, objectives: promised, rto, missed }: ObjectivesOfSource): string[] {
  const { proofs, medianMs, maxMs, forecast } = rto;
  const worst = shown(maxMs);
  return [
    source,
    shown(promised.rtoMs),
    String(proofs.length),
    (missed.includes('rto') ? bad : good)(shown(medianMs)),
    promised.rtoMs !== undefined && (maxMs ?? 0) > promised.rtoMs ? bad(worst) : worst,
    forecast === undefined ? faint('-') : forecastText(forecast),
  ];
}

function successRow({ source, success }: ObjectivesOfSource): string[] {
  const rates = [success.backup, success.verify, success.restore].flat();
  return [
    source,
    ...rates.map(({ rate }) =>
      rate === undefined ? faint('-') : (rate < 1 ? doubtful : good)(formatPercentage(Math.floor(rate * 1000) / 1000)),
    ),
  ];
}

function repairLines({ repairs: { recoveries, alerts, restores, open } }: ObjectivesReport): string[] {
  const line = (what: string, times: ObjectivesReport['repairs']['alerts']): string => {
    const parts = times.map(({ days, count, meanMs, longestMs }) =>
      count === 0
        ? `none in ${days} days`
        : `${formatDuration(meanMs!)} on average in ${days} days (${count}, the longest ${formatDuration(longestMs!)})`,
    );
    return oneLine`${what}: ${parts.join('; ')}`;
  };
  const unresolved = open.map(
    ({ rule, subject, since }) => oneLine`${bad('open')} ${rule} of ${subject}, since ${shownTime(since)}`,
  );
  return [
    '',
    line('recoveries took', recoveries),
    line('p1 alerts resolved after', alerts),
    line('restores took', restores),
    ...unresolved,
  ];
}

function seriesTable({ rpo, proof }: ObjectivesOfSource): string {
  const rows = rpo.series.map(({ from, maxMs, breachMs, withoutMs }, index) => {
    const proven = proof.series[index];
    return [
      shownTime(from),
      withoutMs > 0 && maxMs === undefined ? bad('none') : shown(maxMs),
      breach(breachMs),
      proven?.maxMs === undefined ? doubtful('none') : shown(proven.maxMs),
      breach(proven?.breachMs),
    ];
  });
  const days = table([['from', 'worst RPO', 'too old for', 'worst proven', 'too old for'], ...rows]);
  return rows.length === 0 ? faint(`${counted(0, 'day')} of the period`) : days;
}

function shown(milliseconds: number | undefined, otherwise = '-'): string {
  return milliseconds === undefined ? faint(otherwise) : formatDuration(milliseconds);
}

function breach(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return faint('-');
  return milliseconds > 0 ? bad(formatDuration(milliseconds)) : good('0 s');
}
