import { HoldfastError } from '../foundation/errors.ts';
import { askSecret, type Terminal } from './ask.ts';
import type { CommandDefinition, Invocation } from './command.ts';

/** Where a new password comes from: a file, a variable, or the person at the terminal. Never an argument, which others see. */

export const NEW_PASSWORD_OPTIONS: NonNullable<CommandDefinition['options']> = [
  {
    flags: '--new-password-file <path>',
    description: 'a file with the new password, readable by its owner only',
  },
  {
    flags: '--new-password-env <name>',
    description: 'the environment variable that holds the new password; HOLDFAST_NEW_PASSWORD when it is set',
  },
];

const USUAL_VARIABLE = 'HOLDFAST_NEW_PASSWORD';

/** @throws bad-usage, secret-unavailable, interrupted */
export async function newPassword({ options, environment, directory }: Invocation): Promise<string> {
  const file = options['newPasswordFile'] as string | undefined;
  const named = options['newPasswordEnv'] as string | undefined;
  if (file !== undefined && named !== undefined) {
    throw new HoldfastError('bad-usage', 'the new password cannot come from a file and a variable at once');
  }
  const variable = named ?? (environment.variables[USUAL_VARIABLE] === undefined ? undefined : USUAL_VARIABLE);
  if (file === undefined && variable === undefined) return askTwice();
  const { resolveSecret } = await import('../plan/index.ts');
  const reference = file !== undefined ? { file } : { env: variable! };
  return resolveSecret(reference, { directory, env: environment.variables, signal: environment.signal });
}

async function askTwice(): Promise<string> {
  const terminal: Terminal = { input: process.stdin, output: process.stderr };
  if (!terminal.input.isTTY) {
    throw new HoldfastError('bad-usage', 'there is no new password, and no terminal to ask for it', {
      hint: `Use --new-password-file or --new-password-env, or set ${USUAL_VARIABLE}.`,
    });
  }
  const password = await askSecret('New password: ', terminal);
  if ((await askSecret('The same again: ', terminal)) === password) return password;
  throw new HoldfastError('bad-usage', 'the two passwords are not the same', { hint: 'Nothing was changed.' });
}
