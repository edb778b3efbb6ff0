import { EXIT } from '../../foundation/errors.ts';
import type { ListedKey } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, faint, good, oneLine, shownTime, table } from '../text.ts';

export const evidenceKeys: CommandDefinition = {
  name: 'evidence keys',
  summary: 'list the keys that sign, and those that did',
  description:
    'Lists the keys that ever signed checkpoints and evidence of this plan, as the ledger has them: their fingerprints, from when to when each signed, and which were revoked. With --json, the public keys as well.',
  examples: [
    { command: 'holdfast evidence keys', does: 'which key signs, and since when' },
    { command: "holdfast evidence keys --json | jq -r '.keys[0].publicKey'", does: 'the first public key, in PEM' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ workspace }) {
    const { listSigningKeys } = await import('../../operations/index.ts');
    const listed = await listSigningKeys(await workspace());
    return { exit: EXIT.done, json: listed, text: describe(listed.keys, listed.current) };
  },
};

function describe(keys: readonly ListedKey[], current: string): string {
  if (keys.length === 0)
    return `${current.slice(0, 16)}  ${faint('has not signed evidence yet: it is recorded when it first does')}`;
  return keysTable(keys);
}

/** Of each key what counts. */
export function keysTable(keys: readonly ListedKey[]): string {
  const rows = keys.map(({ key, from, until, revoked }) => [
    key.slice(0, 16),
    shownTime(from),
    until === undefined ? '' : shownTime(until),
    revoked !== undefined
      ? oneLine`${bad('revoked')} ${shownTime(revoked.at)}, others may have had it since ${shownTime(revoked.since)}: ${revoked.why}`
      : until === undefined
        ? good('signs')
        : 'replaced',
  ]);
  return table([['key', 'from', 'until', ''], ...rows]);
}
