import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { changedKeys } from '../signing-key-text.ts';

export const evidenceRotate: CommandDefinition = {
  name: 'evidence rotate',
  summary: 'give the plan another signing key',
  description:
    'Makes another key in the place of the one that signs checkpoints and evidence. The list of keys, signed by both, goes into the ledger first; the public key of the one before stays there for the evidence that it signed, and its private key is gone. Ledgers that have checkpoints are signed by the new key at once. Where the key is no file, put the new one where the plan refers to, and this records it. Cut off in between, the same again goes on.',
  options: [{ flags: '--why <text>', description: 'why, for the record' }],
  examples: [{ command: 'holdfast evidence rotate --why "yearly"', does: 'another key signs from now on' }],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ options, workspace }) {
    const { rotateSigningKey } = await import('../../operations/index.ts');
    return changedKeys(await rotateSigningKey(await workspace(), options['why'] as string | undefined));
  },
};
