import { EXIT } from '../foundation/errors.ts';
import type { Invocation, OptionDefinition, Outcome } from './command.ts';
import { good, oneLine } from './text.ts';

export const ANSWERS = ['approve', 'refuse', 'done', 'again', 'skip', 'stop'] as const;

export const AS_OPTION: OptionDefinition = {
  flags: '--as <contact>',
  description: 'the contact that you answer as; the only one that you can be, when left out',
};

/** Records an answer: the commands that give one differ in nothing else. The first argument is the incident, the second the step. */
export async function answered(
  { arguments: [incident, step], options, workspace }: Pick<Invocation, 'arguments' | 'options' | 'workspace'>,
  answer: (typeof ANSWERS)[number],
): Promise<Outcome> {
  const { answerStep } = await import('../recovery/index.ts');
  const [as, note] = [options['as'] as string | undefined, options['note'] as string | undefined];
  const said = await answerStep(await workspace(), {
    ...{ incident: incident as string, answer },
    ...(step !== undefined && { step: step as string }),
    ...(as !== undefined && { as }),
    ...(note !== undefined && { note }),
  });
  const who = said.as === undefined ? said.by : oneLine`${said.by} as ${said.as}`;
  const rest = said.isEnough ? '' : oneLine`; it takes ${said.missing} more`;
  return {
    exit: EXIT.done,
    json: said,
    text: oneLine`${good(answer)} ${said.step} of ${said.incident}, by ${who}${rest}`,
  };
}
