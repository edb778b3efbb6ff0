import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Holdfast's directory for what a user's programs must not forget, as the XDG base directory specification says; undefined
 * for a user without a home.
 */
export function userStateDirectory({
  XDG_STATE_HOME: given,
  HOME: home = homedir(),
}: Readonly<Record<string, string | undefined>>): string | undefined {
  // A relative one is to be ignored, by the specification.
  if (given !== undefined && isAbsolute(given)) return join(given, 'holdfast');
  return isAbsolute(home) ? join(home, '.local', 'state', 'holdfast') : undefined;
}
