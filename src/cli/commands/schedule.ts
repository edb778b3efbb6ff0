import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { ScheduledTask } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, doubtful, faint, good, oneLine, table } from '../text.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 366;
/** Of what is due every few minutes no more are shown; `--json` has all. */
const SHOWN_RUNS = 100;

export const schedule: CommandDefinition = {
  name: 'schedule',
  summary: 'show what the plan has done by itself, and when',
  description:
    'Shows each task that `serve` does by itself, with how its last run ended and when the next is due, and all that is due in the coming week, on the clocks of the time zone of the plan. What is due in the past is made up for as soon as `serve` runs.',
  options: [{ flags: '--days <number>', description: 'how many days to come (default: 7)' }],
  examples: [
    { command: 'holdfast schedule', does: 'the coming week' },
    { command: 'holdfast schedule --days 31 --json', does: 'the coming month, for programs' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ options, workspace }) {
    const days = Number(options['days'] ?? 7);
    if (!(days > 0 && days <= MOST_DAYS)) {
      throw new HoldfastError('bad-usage', `${String(options['days'])} is no number of days from 1 to ${MOST_DAYS}`);
    }
    const operations = await import('../../operations/index.ts');
    const { timezone, tasks, runs, notes } = await operations.coming(await workspace(), days * DAY_MS);
    const shown = timeShown(timezone);
    const rows = tasks.map((task) => [task.task, task.schedule, lastShown(task, shown), nextShown(task, shown)]);
    const coming = runs.slice(0, SHOWN_RUNS).map(({ due, task }) => [shown(due), task]);
    const more = runs.length - coming.length;
    return {
      exit: EXIT.done,
      json: { timezone, tasks, runs, notes },
      text: [
        table([['task', 'schedule', 'last run', `next run (${timezone})`], ...rows]),
        '',
        table([['due', 'task'], ...coming]),
        ...(more > 0 ? [faint(`and ${more} more; --json has them`)] : []),
        ...notes.map((note) => oneLine`${doubtful('unread')} ${note}`),
      ].join('\n'),
    };
  },
};

function lastShown({ last, covered }: ScheduledTask, shown: (time: string) => string): string {
  if (last === undefined) return covered === undefined ? faint('never') : `${shown(covered)} by hand`;
  const paint = last.outcome === 'done' ? good : last.outcome === 'partial' ? doubtful : bad;
  return `${shown(last.ended)} ${paint(last.outcome)}`;
}

function nextShown({ kind, next }: ScheduledTask, shown: (time: string) => string): string {
  return next === undefined ? (kind === 'follow' ? 'all the time' : faint('-')) : shown(next);
}

/** Such as `Mon 2026-03-02 02:00`. */
function timeShown(timeZone: string): (time: string) => string {
  const day = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short' });
  const date = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return (time) => `${day.format(Date.parse(time))} ${date.format(Date.parse(time))}`;
}
