import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { givenKitPassphrase } from '../kit-passphrase.ts';
import { describeMadeKit } from '../kit-text.ts';

export const kit: CommandDefinition = {
  name: 'kit',
  summary: 'write the recovery kit, which brings everything back on an empty machine',
  description:
    "Writes one sealed file and a page to print, as HTML and as Markdown: where the repositories and mirrors are, the plan, a key of the kit's own to each repository, the public signing key, the order of recovery, contacts, and how everything comes back with Holdfast and without. Credentials of stores are not in it. The file is in the format `age`, which `age -d` opens too. Its passphrase comes from HOLDFAST_KIT_PASSPHRASE, or from `kit.passphrase` of the plan; without either, one of 128 random bits is made, and shown once. A kit in the same place that the same passphrase opens hands its keys on. Ends with 3 where the kit is made, and a ledger cannot record that.",
  options: [
    { flags: '--out <file>', description: 'the sealed file; holdfast-kit.age beside the plan, or what the plan says' },
    { flags: '--shares <count>', description: 'split the passphrase among so many persons' },
    { flags: '--threshold <count>', description: 'with --shares: so many of them open the kit together' },
  ],
  examples: [
    { command: 'holdfast kit', does: 'writes the kit beside the plan, and shows a new passphrase' },
    {
      command: 'holdfast kit --out /mnt/usb/omni.age --shares 3 --threshold 2',
      does: 'any two of three persons open it',
    },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const { makeKit } = await import('../../operations/index.ts');
    const { options, directory } = invocation;
    const shares = sharesOf(options);
    const [workspace, loaded] = [await invocation.workspace(), await invocation.loadPlan()];
    const out = options['out'] as string | undefined;
    const passphrase = await givenKitPassphrase(invocation, workspace);
    const made = await makeKit(workspace, loaded, {
      ...(out !== undefined && { out: resolve(directory, out) }),
      ...(passphrase !== undefined && { passphrase }),
      ...(shares && { shares }),
    });
    const exit = made.problems.length > 0 ? EXIT.partial : EXIT.done;
    return { exit, json: made, text: describeMadeKit(made).join('\n') };
  },
};

/** @throws bad-usage */
function sharesOf({ shares, threshold }: Invocation['options']): { shares: number; threshold: number } | undefined {
  if (shares === undefined && threshold === undefined) return undefined;
  if (shares === undefined || threshold === undefined) {
    throw new HoldfastError('bad-usage', '--shares and --threshold belong together', {
      hint: 'Give both, such as `--shares 3 --threshold 2`.',
    });
  }
  return { shares: Number(shares), threshold: Number(threshold) };
}
