import { EXIT } from '../../foundation/errors.ts';
import { formatDuration, formatPercentage } from '../../foundation/units.ts';
import type { ServicesReport, WatchedService } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { errorDetails, indent } from '../errors.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureText } from '../failure-text.ts';
import { bad, doubtful, faint, good, oneLine, shownTime, table } from '../text.ts';

export const services: CommandDefinition = {
  name: 'services',
  summary: 'show what is up, since when, and how well; and how far standbys are behind',
  description:
    'Shows of every service of the plan whether it is up and since when, the 95th percentile of what it took to answer in the last five minutes, which share of its requests fails, and its availability over 30 days; of every standby, how far it is behind. That is what `holdfast serve` sees on this machine; of days gone by, what the ledger has. A service that nobody watches is asked once, now. The exit code is 4 when a service is down, and 1 when something could not be looked at.',
  examples: [{ command: 'holdfast services', does: 'is everything up?' }],
  exits: [...REPOSITORY_EXITS, EXIT.missed],
  writes: false,
  async run({ workspace }) {
    const operations = await import('../../operations/index.ts');
    const report = await operations.services(await workspace());
    const { services: found, standbys, failures } = report;
    const isDown = found.some(({ state }) => state === 'down' || state === 'failing');
    const isUnknown = failures.length > 0 || standbys.some(({ error }) => error !== undefined);
    return {
      exit: isDown ? EXIT.missed : isUnknown ? EXIT.failed : EXIT.done,
      json: { services: found, standbys, failures },
      text: describe(report),
    };
  },
};

const HEADING = ['service', 'state', 'since', '95 % within', 'errors', '30 days', ''];

function describe({ services: found, standbys, failures }: ServicesReport): string {
  const lines = standbys.map(({ standby, of, lagMs, seen, error }) => {
    if (error !== undefined) return oneLine`${bad('standby')} ${standby} of ${of}: ${error}`;
    if (seen === undefined || lagMs === undefined)
      return `${doubtful('standby')} ${standby} of ${of}: nobody watches it`;
    return `${good('standby')} ${standby} of ${of}: ${formatDuration(lagMs)} behind at ${shownTime(seen)}`;
  });
  return [
    ...(found.length === 0 ? ['the plan names no services'] : [table([HEADING, ...found.map(row)])]),
    ...lines,
    ...failures.map(unknownText),
  ].join('\n');
}

function unknownText({ repository, error }: ServicesReport['failures'][number]): string {
  if (repository === undefined)
    return [oneLine`${bad('unknown')} ${error.message}`, ...errorDetails(error).map(indent)].join('\n');
  return failureText(`what the ledger of ${repository} has of days gone by`, error);
}

function row({
  service,
  from,
  state,
  since,
  isWatched,
  error,
  p95Ms,
  errorShare,
  availability,
}: WatchedService): string[] {
  const paint = { up: good, failing: doubtful, down: bad, unknown: bad }[state];
  const hints = [
    ...(error === undefined ? [] : [error]),
    ...(from === undefined ? [] : [`from ${from}`]),
    ...(isWatched || state === 'unknown' ? [] : ['asked just now: nobody watches it on this machine']),
  ];
  return [
    service,
    paint(state),
    since === undefined ? faint('-') : shownTime(since),
    p95Ms === undefined ? faint('-') : formatDuration(p95Ms),
    errorShare === undefined ? faint('-') : formatPercentage(errorShare),
    // Rounded down: what failed once is not 100 %.
    availability === undefined ? faint('-') : `${(Math.floor(availability.share * 100_000) / 1000).toFixed(3)}%`,
    hints.join('; '),
  ];
}
