import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';

export const planShow: CommandDefinition = {
  name: 'plan show',
  summary: 'print the plan with its defaults filled in',
  description:
    'Prints the plan as Holdfast understands it, with defaults filled in. Secrets stay the references that they are.',
  examples: [{ command: 'holdfast plan show', does: 'see what a short plan really says' }],
  exits: [],
  writes: false,
  async run({ loadPlan }) {
    const [loaded, { showPlan, showPlanYaml }] = await Promise.all([loadPlan(), import('../../plan/index.ts')]);
    return { exit: EXIT.done, json: showPlan(loaded), text: showPlanYaml(loaded).trimEnd() };
  },
};
