import { HoldfastError } from '../foundation/errors.ts';
import type { RecallOptions } from '../operations/index.ts';
import type { CommandDefinition, Invocation } from './command.ts';

/** Of commands that read the content of snapshots, which in an archive may have to be asked for. */
export const RECALL_OPTIONS: NonNullable<CommandDefinition['options']> = [
  { flags: '--wait', description: 'of an archive that must be asked for content hours before: wait for it' },
  {
    flags: '--recall-tier <tier>',
    description: 'how soon such content is to come: bulk (the cheapest), standard (the default) or expedited',
    choices: ['bulk', 'standard', 'expedited'],
  },
  { flags: '--recall-days <days>', description: 'for how many days it is to be readable then (7)' },
];

const LONGEST_DAYS = 365;

/** @throws bad-usage */
export function recallOf(options: Invocation['options']): { recall: Partial<RecallOptions> } {
  const tier = options['recallTier'] as RecallOptions['tier'] | undefined;
  const days = options['recallDays'] as string | undefined;
  const isDays = days === undefined || (/^\d{1,3}$/.test(days) && Number(days) >= 1 && Number(days) <= LONGEST_DAYS);
  if (!isDays) {
    throw new HoldfastError('bad-usage', `${JSON.stringify(days)} is no number of days`, {
      hint: `Give --recall-days a number from 1 to ${LONGEST_DAYS}.`,
    });
  }
  return {
    recall: {
      ...(options['wait'] === true && { wait: true }),
      ...(tier !== undefined && { tier }),
      ...(days !== undefined && { days: Number(days) }),
    },
  };
}
