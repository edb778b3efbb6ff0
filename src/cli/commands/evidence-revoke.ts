import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { changedKeys } from '../signing-key-text.ts';
import { whyOf } from '../why.ts';

export const evidenceRevoke: CommandDefinition = {
  name: 'evidence revoke',
  arguments: '<key>',
  summary: 'believe nothing more that a signing key has signed',
  description:
    'Says that others may have had a signing key since a moment. Whoever has it can sign with any date, so that from now on nothing that it signed is believed: `report verify` refuses it, and `evidence export` signs anew what is to be handed out again. Where it is the key that signs, another one takes its place at once; where that is no file, put a new one where the plan refers to, record it with `evidence rotate`, and revoke the old one then.',
  options: [
    { flags: '--since <time>', description: 'since when others may have had it (default: now)' },
    { flags: '--why <text>', description: 'why, for whoever comes after you' },
  ],
  examples: [
    {
      command: 'holdfast evidence revoke 3fa85f64 --since "3d ago" --why "the laptop was stolen"',
      does: 'another key signs, and this one counts for nothing',
    },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ arguments: [key], options, workspace, environment }) {
    const why = whyOf(options);
    const operations = await import('../../operations/index.ts');
    const nowMs = environment.clock.nowMs();
    const sinceMs = operations.parseMoment((options['since'] as string | undefined) ?? '0s ago', nowMs);
    if (sinceMs === undefined || sinceMs > nowMs) {
      throw new HoldfastError('bad-usage', '--since takes a time that is past', { hint: 'Such as `3d ago`.' });
    }
    return changedKeys(await operations.revokeSigningKey(await workspace(), { key: key as string, sinceMs, why }));
  },
};
