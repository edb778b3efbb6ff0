import { EXIT, type ExitCode } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import type { TestedAlert } from '../../operations/index.ts';
import { describeMending } from '../alert-text.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, good, oneLine } from '../text.ts';

export const alertTest: CommandDefinition = {
  name: 'alert test',
  arguments: '<rule>',
  summary: 'send an alert of a rule to those who would be told at once',
  description:
    'Sends an alert that is marked as a test, as the rule says it of made-up facts, along the routes and to the first rung of the ladder, and then that it is over. Says what each channel answered: exit code 4 where some did not take it, 1 where none did.',
  examples: [{ command: 'holdfast alert test rpo-breach', does: 'would anybody be woken?' }],
  exits: [...REPOSITORY_EXITS, EXIT.missed],
  writes: true,
  async run({ arguments: [rule], environment, workspace }) {
    const operations = await import('../../operations/index.ts');
    const tested = await operations.testAlert(await workspace(), {
      ...{ rule: rule as string, pause: pauseUntilAborted(environment.signal) },
    });
    return { exit: exitOf(tested), json: tested, text: describe(tested) };
  },
};

function exitOf({ channels }: TestedAlert): ExitCode {
  const delivered = channels.filter(({ outcome }) => outcome === 'delivered');
  if (delivered.length === 0) return EXIT.failed;
  return channels.some(({ error }) => error !== undefined) ? EXIT.missed : EXIT.done;
}

function describe({ alert, channels }: TestedAlert): string {
  const lines = channels.map(({ channel, reason, outcome, error }) => {
    const state = outcome === 'delivered' && error === undefined ? good('delivered') : bad(outcome);
    return oneLine`${state} ${channel} (${reason})${error === undefined ? '' : `: ${error.message}`}`;
  });
  const none = `${bad('nobody')} would be told: no route and no rung of the ladder takes it`;
  const told = [oneLine`${alert.severity} ${alert.rule}: ${alert.message}`, ...describeMending(alert)];
  return [...told, ...(lines.length === 0 ? [none] : lines)].join('\n');
}
