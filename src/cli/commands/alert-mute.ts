import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { parseDuration } from '../../foundation/units.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { doubtful, oneLine, shownTime } from '../text.ts';

export const alertMute: CommandDefinition = {
  name: 'alert mute',
  arguments: '<rule> [subject]',
  summary: 'tell nobody of what a rule finds, for a time and with a reason',
  description:
    'Records that nobody is to be told of what a rule finds, of one source, repository or service, or of all. It is looked for and listed all the same, and told when the time is over and it still stands. `--for 0s` ends it.',
  options: [
    { flags: '--for <duration>', description: 'for how long: 2h, 3d' },
    { flags: '--why <text>', description: 'the reason, for the record' },
  ],
  examples: [
    {
      command: 'holdfast alert mute availability api --for 2h --why "it is moved to another host"',
      does: 'nobody is woken by what is known',
    },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  async run({ arguments: [rule, subject], options, workspace }) {
    const forMs = parseDuration(given(options['for'], '--for', 'a duration such as 2h'));
    if (forMs === undefined) throw missing('--for', 'a duration such as 2h');
    const why = given(options['why'], '--why', 'the reason');
    const operations = await import('../../operations/index.ts');
    const muted = await operations.muteAlerts(await workspace(), {
      ...{ rule: rule as string, forMs, why },
      ...(subject !== undefined && { subject: subject as string }),
    });
    const what = oneLine`${muted.rule}${muted.subject === undefined ? '' : ` of ${muted.subject}`}`;
    return {
      exit: EXIT.done,
      json: muted,
      text: oneLine`${doubtful('muted')} ${what} until ${shownTime(muted.until)}`,
    };
  },
};

function given(value: unknown, option: string, what: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw missing(option, what);
}

function missing(option: string, what: string): HoldfastError {
  return new HoldfastError('bad-usage', `${option} must be given`, { hint: `Give \`${option}\` ${what}.` });
}
