import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';

export const planSchema: CommandDefinition = {
  name: 'plan schema',
  summary: 'print the JSON Schema of the plan',
  description: 'Prints the JSON Schema of holdfast.yaml, with which an editor completes and checks it.',
  examples: [{ command: 'holdfast plan schema > holdfast.schema.json', does: 'keep it beside the plan' }],
  exits: [],
  writes: false,
  async run() {
    const { planJsonSchema } = await import('../../plan/index.ts');
    const schema = planJsonSchema();
    return { exit: EXIT.done, json: schema, text: JSON.stringify(schema, undefined, 2) };
  },
};
