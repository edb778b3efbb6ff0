import { EXIT } from '../foundation/errors.ts';
import type { ChangedKeys } from '../operations/index.ts';
import type { Outcome } from './command.ts';
import { keysTable } from './commands/evidence-keys.ts';
import { bad, good, oneLine } from './text.ts';

const SAID: Record<ChangedKeys['change'], string> = {
  rotated: 'another key signs from now on',
  revoked: 'the key is revoked: nothing that it signed is believed',
  finished: 'what had been cut off is done',
  none: 'it was revoked already',
};

/** What a command that changed the signing keys ends with. */
export function changedKeys(changed: ChangedKeys): Outcome {
  const { change, key, keys, file, publicFile, checkpoints } = changed;
  const unsigned = checkpoints.filter(({ outcome }) => outcome !== 'complete');
  const lines = [
    `${good(change === 'none' ? 'nothing changed' : 'done')} ${SAID[change]}`,
    keysTable(keys),
    ...(file === undefined
      ? []
      : [`The key ${key.slice(0, 16)} is in ${file}, its public key in ${publicFile}: keep that one elsewhere.`]),
    ...checkpoints.map(({ repository, outcome, errors }) =>
      outcome === 'complete'
        ? `${good('signed')} the ledger of ${repository} with the key that signs now`
        : oneLine`${bad('not signed')} the ledger of ${repository}: ${errors.map(({ message }) => message).join('; ')}`,
    ),
    ...(change === 'revoked' ? ['Sign anew what you have handed out: `holdfast evidence export`.'] : []),
    ...(change === 'none' ? [] : ['The recovery kit has the public key of before: write it anew with `holdfast kit`.']),
    ...(unsigned.length > 0 ? ['Sign the ledger with `holdfast ledger checkpoint` once that is put right.'] : []),
  ];
  return { exit: unsigned.length > 0 ? EXIT.partial : EXIT.done, json: changed, text: lines.join('\n') };
}
