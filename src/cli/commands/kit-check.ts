import { resolve } from 'node:path';
import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { kitPassphrase } from '../kit-passphrase.ts';
import { describeCheckedKit } from '../kit-text.ts';

export const kitCheck: CommandDefinition = {
  name: 'kit check',
  summary: "prove that the recovery kit still opens today's repositories",
  description:
    "Opens the kit by its passphrase, and each repository and mirror of today's plan by the kit's own key; holds the plan in the kit against today's, and the kit's age against the last password that was taken away. The passphrase comes from HOLDFAST_KIT_PASSPHRASE or the plan, or is asked for. Ends with 4 when the kit is outdated, and with 12 when the passphrase is wrong.",
  options: [
    { flags: '--kit <file>', description: 'this kit; the newest that was made on this machine, when left out' },
  ],
  examples: [
    { command: 'holdfast kit check', does: 'asks for the passphrase, and says whether the kit is of any use' },
    { command: 'holdfast kit check --kit /mnt/usb/omni.age', does: 'the copy that is kept elsewhere' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.missed],
  writes: true,
  async run(invocation) {
    const { checkKit } = await import('../../operations/index.ts');
    const [workspace, loaded] = [await invocation.workspace(), await invocation.loadPlan()];
    const file = invocation.options['kit'] as string | undefined;
    const checked = await checkKit(workspace, loaded, {
      ...(file !== undefined && { file: resolve(invocation.directory, file) }),
      passphrase: () => kitPassphrase(invocation, workspace),
    });
    const exit = checked.outcome === 'current' ? EXIT.done : EXIT.missed;
    return { exit, json: checked, text: describeCheckedKit(checked) };
  },
};
