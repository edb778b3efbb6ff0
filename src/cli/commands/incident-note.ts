import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good } from '../text.ts';

export const incidentNote: CommandDefinition = {
  name: 'incident note',
  arguments: '<id> <text>',
  summary: 'write a line into the record of an incident, also of one that is over',
  examples: [
    {
      command: 'holdfast incident note 3fa8 "the provider says that the region is back at noon"',
      does: 'it is in the report',
    },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  async run({ arguments: [id, text], workspace }) {
    const { noteIncident } = await import('../../recovery/index.ts');
    const state = await noteIncident(await workspace(), id as string, { text: text as string });
    return {
      exit: EXIT.done,
      json: { incident: state.id, notes: state.notes },
      text: `${good('noted')} in ${state.id}`,
    };
  },
};
