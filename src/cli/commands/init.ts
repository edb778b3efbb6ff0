import { EXIT, type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { MadeKit, Workspace } from '../../operations/index.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { errorDetails, indent } from '../errors.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { givenKitPassphrase } from '../kit-passphrase.ts';
import { describeMadeKit } from '../kit-text.ts';
import { bad, good, oneLine } from '../text.ts';

export const init: CommandDefinition = {
  name: 'init',
  summary: 'create the repositories that the plan names, and write the recovery kit',
  description:
    'Creates the repositories and archives that the plan names and that do not exist yet. One that exists is never touched; when all of them exist, that is an error. Then it writes the recovery kit, as `holdfast kit` does: its passphrase comes from HOLDFAST_KIT_PASSPHRASE or the plan, or one is made and shown this once. Where the kit cannot be written, the repositories are there all the same, and the exit code is 3.',
  examples: [{ command: 'holdfast init', does: 'create what the plan in this directory names' }],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  async run(invocation) {
    const { initRepositories } = await import('../../operations/index.ts');
    const workspace = await invocation.workspace();
    const result = await initRepositories(workspace);
    const lines = result.repositories.map(({ name, store, created, mirrorOf }) =>
      mirrorOf !== undefined
        ? `mirror ${name} of ${mirrorOf} is made at ${store} with the first backup`
        : created
          ? `${good('created')} repository ${name} at ${store}`
          : oneLine`repository ${name} at ${store} exists already; it was left as it is`,
    );
    if (result.signingKey !== undefined) {
      const { file, publicFile } = result.signingKey;
      lines.push(
        oneLine`${good('created')} ${file}, which signs the ledger, and ${publicFile}: keep that one elsewhere.`,
      );
    }
    lines.push('Keep its password somewhere else as well: without it, nobody can read the repository.');
    const kit = await writeKit(invocation, workspace);
    lines.push(...('error' in kit ? notWritten(kit.error) : describeMadeKit(kit)));
    const isWhole = !('error' in kit) && kit.problems.length === 0;
    return { exit: isWhole ? EXIT.done : EXIT.partial, json: { ...result, kit }, text: lines.join('\n') };
  },
};

/** What was created is there, whatever becomes of the kit. */
async function writeKit(invocation: Invocation, workspace: Workspace): Promise<MadeKit | { error: HoldfastError }> {
  try {
    const { makeKit } = await import('../../operations/index.ts');
    const passphrase = await givenKitPassphrase(invocation, workspace);
    return await makeKit(workspace, await invocation.loadPlan(), passphrase === undefined ? {} : { passphrase });
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { error };
  }
}

function notWritten(error: HoldfastError): string[] {
  return [
    bad(oneLine`the recovery kit was not written: ${error.message}`),
    ...errorDetails(error).map(indent),
    'Write it with `holdfast kit` once that is mended.',
  ];
}
