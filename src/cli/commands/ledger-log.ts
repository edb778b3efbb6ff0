import { EXIT } from '../../foundation/errors.ts';
import type { LoggedEvent } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON } from '../failure-text.ts';
import { QUERY_OPTIONS, queryOf } from '../ledger-options.ts';
import { doubtful, faint, shownTime, table } from '../text.ts';

/** A body is shown up to here; all of it with `--json`. */
const SHOWN_LENGTH = 120;

export const ledgerLog: CommandDefinition = {
  name: 'ledger log',
  summary: 'show what Holdfast did and saw',
  description: `Shows the events of the audit trail, oldest first: of all repositories of the plan, or of one, with those that wait on this machine because their repository was away. ${GOES_ON}`,
  options: QUERY_OPTIONS,
  examples: [
    { command: 'holdfast ledger log --since "1d ago"', does: 'what happened since yesterday' },
    {
      command: 'holdfast ledger log --kind backup.failed --source omni-db --limit 10',
      does: 'the last failures of one source',
    },
    { command: 'holdfast ledger log --json', does: 'everything, for a program' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ options, workspace, environment }) {
    const operations = await import('../../operations/index.ts');
    const query = await queryOf(options, environment.clock.nowMs());
    const { logged, failures } = await operations.reachableLog(await workspace(), query);
    return {
      exit: failures.length === 0 ? EXIT.done : EXIT.failed,
      json: { events: logged.map(flat), failures },
      text: [describe(logged), ...failureLines(failures)].join('\n'),
    };
  },
};

/** An event as one object, with where it lies. */
function flat({ event, ...where }: LoggedEvent): object {
  return { ...where, ...event };
}

function describe(logged: readonly LoggedEvent[]): string {
  if (logged.length === 0) return 'there is no such event';
  const rows = logged.map(({ repository, isWaiting, event }) => [
    shownTime(event.time),
    repository,
    event.kind,
    event.actor,
    shortened(event.body),
    isWaiting === true ? doubtful('waits for the repository') : '',
  ]);
  return table([['time', 'repository', 'event', 'by', '', ''], ...rows]);
}

function shortened(body: object): string {
  const text = Object.entries(body)
    .map(([name, value]) => `${name}=${shownValue(name, value)}`)
    .join(' ')
    .replaceAll(/\p{Cc}+/gu, ' ');
  return faint(text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text);
}

/** Of a time that something took, whole milliseconds are enough. */
function shownValue(name: string, value: unknown): string {
  if (typeof value === 'number' && name.endsWith('Ms')) return String(Math.round(value));
  return typeof value === 'string' ? value : JSON.stringify(value);
}
