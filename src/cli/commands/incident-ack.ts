import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, oneLine } from '../text.ts';

export const incidentAck: CommandDefinition = {
  name: 'incident ack',
  arguments: '<id>',
  summary: 'say that you see to an incident',
  examples: [{ command: 'holdfast incident ack 3fa8', does: 'who said so first is shown' }],
  exits: REPOSITORY_EXITS,
  writes: true,
  async run({ arguments: [id], workspace }) {
    const { acknowledgeIncident } = await import('../../recovery/index.ts');
    const { id: incident, acknowledged } = await acknowledgeIncident(await workspace(), id as string);
    const by = acknowledged?.by ?? '';
    return {
      exit: EXIT.done,
      json: { incident, acknowledgedBy: by },
      text: oneLine`${good('acknowledged')} ${incident} by ${by}`,
    };
  },
};
