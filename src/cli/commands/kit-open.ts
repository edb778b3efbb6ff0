import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { kitPassphrase } from '../kit-passphrase.ts';
import { counted, good } from '../text.ts';

export const kitOpen: CommandDefinition = {
  name: 'kit open',
  summary: 'write what is in a recovery kit to a new directory, for work by hand',
  description:
    'Opens a kit by its passphrase or by shares of it, and writes what is in it, passwords of repositories among it, to a directory that only its owner reads. `age -d FILE | tar -x` does the same with the passphrase. No plan is needed.',
  options: [
    { flags: '--kit <file>', description: 'the sealed file' },
    { flags: '--to <directory>', description: 'a directory that is not there yet' },
  ],
  examples: [{ command: 'holdfast kit open --kit omni.age --to ./kit', does: 'asks for the passphrase or the shares' }],
  exits: [EXIT.wrongPassword],
  writes: false,
  async run(invocation) {
    const { layOutKit } = await import('../../operations/index.ts');
    const { options, directory } = invocation;
    const [file, to] = [options['kit'], options['to']] as (string | undefined)[];
    if (file === undefined || to === undefined) {
      throw new HoldfastError('bad-usage', 'kit open needs a kit and a directory', {
        hint: 'Give `--kit FILE` and `--to DIRECTORY`.',
      });
    }
    const passphrase = await kitPassphrase(invocation);
    const files = await layOutKit({ file: resolve(directory, file), passphrase }, resolve(directory, to));
    const text = `${good('wrote')} ${counted(files.length, 'file')} to ${to}. They open every repository: remove them when you are done.`;
    return { exit: EXIT.done, json: { files }, text };
  },
};
