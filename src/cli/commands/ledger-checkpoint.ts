import { EXIT } from '../../foundation/errors.ts';
import type { SignedLedger } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { bad, counted, good, oneLine } from '../text.ts';

export const ledgerCheckpoint: CommandDefinition = {
  name: 'ledger checkpoint',
  arguments: '[repository...]',
  summary: 'sign what the audit trail holds',
  description:
    'Reads the ledger of each repository that sources are kept in, sees that it is whole and what the checkpoint before says, and signs what it holds with the key that the plan names. The checkpoint lies in the repository, and copies go to where the plan says, and to the channels that it names: from then on `ledger verify` finds also what was cut or written anew by one who has the password. Exit code 3 when a copy could not be sent.',
  examples: [{ command: 'holdfast ledger checkpoint', does: 'sign it now, besides what the schedule does' }],
  exits: [...LOCKING_EXITS, EXIT.failed, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ arguments: [names], workspace }) {
    const operations = await import('../../operations/index.ts');
    const repositories = await operations.signLedgers(await workspace(), (names ?? []) as string[]);
    const has = (outcome: SignedLedger['outcome']): boolean => repositories.some((each) => each.outcome === outcome);
    return {
      exit: has('failed') ? EXIT.failed : has('partial') ? EXIT.partial : EXIT.done,
      json: { repositories },
      text: repositories.flatMap(describe).join('\n'),
    };
  },
};

function describe({ repository, outcome, checkpoint, events, sentTo, channels, errors }: SignedLedger): string[] {
  const lines = errors.map(({ message }) => oneLine`  ${bad('failed')} ${message}`);
  if (outcome === 'failed') return [`${repository}: ${bad('not signed')}`, ...lines];
  const copies = [
    ...sentTo.map((place) => oneLine`  a copy is at ${place}`),
    ...channels.map((name) => oneLine`  a copy went to ${name}`),
  ];
  return [`${repository}: ${good('signed')} ${counted(events ?? 0, 'event')} as ${checkpoint}`, ...copies, ...lines];
}
