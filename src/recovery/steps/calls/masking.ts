/** Takes secrets out of what programs and servers say before anybody sees it. */
import { HoldfastError } from '../../../foundation/errors.ts';
import { redactor } from '../../../foundation/redaction.ts';
import type { Workspace } from '../../../operations/index.ts';
import { knownSecrets } from './references.ts';

export type Mask = (text: string) => string;

/** Bounded, so that no text takes long, whoever wrote it. */
const URL_PASSWORD = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/?#:@]{0,200}):[^\s/?#@]{1,1000}@/gi;

/**
 * What takes out the secrets of the plan, those of a call, and whatever stands where a URL has a password. Of the plan those
 * are known that lie in variables and files: a program that another secret is asked of is not run for this.
 * @param own secrets of the call, wherever they are from
 */
export async function maskOf(workspace: Workspace, own: readonly string[]): Promise<Mask> {
  const secrets = [...own, ...(await knownSecrets(workspace, workspace.plan))];
  const redact = redactor([...new Set(secrets.flatMap((secret) => [secret, ...passwordsIn(secret)]))]);
  return (text) => redact(text).replaceAll(URL_PASSWORD, '$1:…@');
}

/** The same error with masked texts, and without what caused it, which may quote anything. */
export function maskedError(error: HoldfastError, mask: Mask): HoldfastError {
  const context = Object.fromEntries(
    Object.entries(error.context).map(([key, value]) => [key, typeof value === 'string' ? mask(value) : value]),
  );
  return new HoldfastError(error.code, mask(error.message), {
    ...(error.hint !== undefined && { hint: error.hint }),
    retryable: error.retryable,
    context,
  });
}

/** A URL is secret for the password in it, as it is written there and as it is meant. */
function passwordsIn(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { password } = new URL(text);
  if (password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
