import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { ExportedEvidence, ExportedKind } from '../../recovery/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { periodOf, periodOptions } from '../period.ts';
import { bad, counted, doubtful, good, oneLine } from '../text.ts';

const KINDS: readonly ExportedKind[] = ['proof', 'drill', 'incident', 'compliance'];
const DEFAULT_FROM = '365d ago';
const DEFAULT_OUT = 'evidence';

export const evidenceExport: CommandDefinition = {
  name: 'evidence export',
  summary: 'sign what was proven, drilled and recovered, for others to check',
  description:
    'Writes for each proof, drill and incident of a period, and for the compliance report of it, a file that says so and is signed: an in-toto Statement in a DSSE envelope with an Ed25519 signature, which `holdfast report verify`, `openssl` and `cosign` check with the public key alone; with it the reports themselves, and the list of all signing keys. What is in the directory already stays where it is right and nothing more is known since. That it was done is an event of the ledger.',
  options: [
    ...periodOptions(DEFAULT_FROM),
    {
      flags: '--kind <kind>',
      description: `only of this kind: ${KINDS.join(', ')}; may be given several times`,
      repeats: true,
    },
    { flags: '--out <directory>', description: `where to (default: ${DEFAULT_OUT})` },
  ],
  examples: [
    { command: 'holdfast evidence export', does: 'all of the last year, into the directory evidence' },
    {
      command: 'holdfast evidence export --from 2026-01-01T00:00:00Z --to 2026-04-01T00:00:00Z --out q1',
      does: 'a quarter for the auditors',
    },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ options, environment, workspace, directory }) {
    const period = await periodOf({ options, environment }, DEFAULT_FROM);
    const { exportEvidence } = await import('../../recovery/index.ts');
    const { kind, out = DEFAULT_OUT } = options as { kind?: readonly string[]; out?: string };
    const request = { ...period, kinds: kind?.map(kindOf) ?? KINDS, directory: resolve(directory, out) };
    const exported = await exportEvidence(await workspace(), request);
    const exit = exported.gaps.length > 0 ? EXIT.partial : EXIT.done;
    return { exit, json: exported, text: describe(exported).join('\n') };
  },
};

function kindOf(given: string): ExportedKind {
  const kind = KINDS.find((each) => each === given);
  if (kind !== undefined) return kind;
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no kind of evidence`, {
    hint: `It is one of ${KINDS.join(', ')}.`,
  });
}

function describe({ directory, key, evidence, notes, gaps }: ExportedEvidence): string[] {
  const count = (state: string): number => evidence.filter((each) => each.state === state).length;
  const [made, kept, updated, renewed] = [count('new'), count('kept'), count('updated'), count('renewed')];
  const byKind = KINDS.map((kind) => evidence.filter((each) => each.kind === kind).length);
  const shown = KINDS.flatMap((kind, index) => (byKind[index] === 0 ? [] : [`${kind}: ${byKind[index]}`])).join(', ');
  return [
    evidence.length === 0
      ? `${doubtful('nothing')} was proven, drilled or recovered in this time`
      : oneLine`${good('signed')} ${counted(made + updated + renewed, 'statement')} with the key ${key.slice(0, 16)}, in ${directory} (${shown})`,
    ...(kept > 0 ? [`${counted(kept, 'statement')} were there already`] : []),
    ...(updated > 0 ? [`${doubtful('anew')} ${counted(updated, 'statement')}: more is known since`] : []),
    ...(renewed > 0
      ? [`${doubtful('anew')} ${counted(renewed, 'statement')}: what was there is not to be believed`]
      : []),
    ...gaps.map((name) => `${bad('not whole')} the ledger of ${name}: see \`holdfast ledger verify\``),
    ...notes.map((note) => oneLine`${doubtful('left out')} ${note}`),
    ...(evidence.length === 0
      ? []
      : ['Check it with `holdfast report verify`, or with the public key alone: docs/evidence.md.']),
  ];
}
