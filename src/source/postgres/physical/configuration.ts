import { readFileSync } from 'node:fs';

/** What a server does not start without, and some systems keep outside of the data directory. */
export const CONFIGURATION_FILES = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'] as const;

/**
 * The least of a configuration that a restored cluster starts with.
 * @param settings what the server has, of those that a cluster cannot do with less of than it had
 */
export function minimalConfiguration(
  name: (typeof CONFIGURATION_FILES)[number],
  settings: Readonly<Record<string, string>>,
): string {
  const text = readFileSync(new URL(`./configuration/${name}`, import.meta.url), 'utf8');
  if (name !== 'postgresql.conf') return text;
  const lines = Object.entries(settings).map(([key, value]) => `${key} = '${value.replaceAll("'", "''")}'\n`);
  return text + lines.join('');
}
