import { HoldfastError } from '../foundation/errors.ts';

/** What a login came to: `refused` for a wrong password alone. */
export type Login = 'in' | 'refused';

/**
 * Proves that a user's new password works, and no other: neither the old one, where it is known, nor any at all.
 * @throws validation-failed; what `logIn` throws
 */
export async function assertRotated(
  { label, user }: { label: string; user: string },
  { next, wrong, old }: { next: string; wrong: string; old: string | undefined },
  logIn: (password: string) => Promise<Login>,
): Promise<void> {
  if ((await logIn(next)) !== 'in') {
    throw failed(label, `the new password of ${user} does not work`, 'See what the server lets that user log in by.');
  }
  if ((await logIn(wrong)) === 'in') {
    throw failed(
      label,
      `${user} gets in with any password`,
      'See why the server asks for none from here: pg_hba.conf, or `nopass` of the user.',
    );
  }
  if (old !== undefined && (await logIn(old)) === 'in') {
    throw failed(label, `the old password of ${user} still works`, 'See where else the server knows passwords from.');
  }
}

function failed(label: string, what: string, hint: string): HoldfastError {
  return new HoldfastError('validation-failed', `${label}: ${what}`, { hint, context: { server: label } });
}
