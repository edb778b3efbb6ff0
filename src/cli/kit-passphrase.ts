import { HoldfastError } from '../foundation/errors.ts';
import { askSecret, type Terminal } from './ask.ts';
import type { Invocation } from './command.ts';

/** Where the passphrase of a kit comes from: a variable, a reference of the plan, or the person at the terminal. */

const VARIABLE = 'HOLDFAST_KIT_PASSPHRASE';

/** A passphrase or shares of one, as the variable or the plan has it; undefined where neither does. @throws secret-unavailable */
export async function givenKitPassphrase(
  { environment }: Invocation,
  workspace?: Awaited<ReturnType<Invocation['workspace']>>,
): Promise<string | undefined> {
  const given = environment.variables[VARIABLE];
  if (given !== undefined && given !== '') return given;
  const planned = workspace?.plan.kit.passphrase;
  if (workspace === undefined || planned === undefined) return undefined;
  const { resolveSecret } = await import('../plan/index.ts');
  return resolveSecret(planned, workspace.references);
}

/** The same, or what a person types: shares one after the other, until there are enough. @throws bad-usage, interrupted */
export async function kitPassphrase(
  invocation: Invocation,
  workspace?: Awaited<ReturnType<Invocation['workspace']>>,
): Promise<string> {
  const given = await givenKitPassphrase(invocation, workspace);
  if (given !== undefined) return given;
  const terminal: Terminal = { input: process.stdin, output: process.stderr };
  if (!terminal.input.isTTY) {
    throw new HoldfastError('bad-usage', 'there is no passphrase of the kit, and no terminal to ask for it', {
      hint: `Set ${VARIABLE} to the passphrase, or to the shares that give it, one behind the other.`,
    });
  }
  const { sharesMissing } = await import('../operations/index.ts');
  let typed = await askSecret('Passphrase of the kit, or the first share: ', terminal);
  for (let missing = await sharesMissing(typed); missing > 0; missing = await sharesMissing(typed)) {
    typed += ` ${await askSecret(`The next share, ${missing} more: `, terminal)}`;
  }
  return typed;
}
