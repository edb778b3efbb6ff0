import { isHoldfastError } from '../../foundation/errors.ts';
import { type ArchiveToc, textOf } from './archive/toc.ts';
import type { PostgresDetails } from './details.ts';
import type { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

/** What is known of a server and one of its databases. */
export type ServerFacts = Pick<
  PostgresDetails,
  | 'majorVersion'
  | 'serverVersion'
  | 'serverVersionNumber'
  | 'database'
  | 'sizeBytes'
  | 'encoding'
  | 'collate'
  | 'ctype'
  | 'localeProvider'
  | 'locale'
  | 'monetary'
  | 'settings'
  | 'extensions'
  | 'roles'
  | 'tablespaces'
  | 'lsn'
  | 'timeline'
  | 'inRecovery'
  | 'sequences'
>;

export async function inspectServer(session: Session): Promise<ServerFacts> {
  const row = await session.one('look at the server', sqlFile('server'));
  const number = Number(row['version_number']);
  const list = <T>(name: string) => JSON.parse(row[name] ?? '[]') as T[];
  return {
    majorVersion: Math.floor(number / 10_000),
    serverVersion: row['version'] ?? '',
    serverVersionNumber: number,
    database: row['name'] ?? '',
    sizeBytes: Number(row['size_bytes']),
    encoding: row['encoding'] ?? '',
    collate: row['collate'] ?? '',
    ctype: row['ctype'] ?? '',
    localeProvider: row['locale_provider'] ?? 'c',
    locale: row['locale'] ?? null,
    monetary: row['monetary'] ?? 'C',
    settings: list<string>('settings'),
    extensions: list<{ name: string; version: string }>('extensions'),
    roles: list<string>('roles'),
    tablespaces: list<string>('tablespaces'),
    lsn: row['lsn'] ?? null,
    timeline: await timelineOf(session),
    inRecovery: row['in_recovery'] === 'true',
    sequences: Number(row['sequences']),
  };
}

/** Every role that has to do with a database. The server does not record what its first superuser owns. */
export function rolesIn({ roles }: Pick<ServerFacts, 'roles'>, { entries }: ArchiveToc): string[] {
  const owners = entries.map(({ owner }) => textOf(owner)).filter((owner) => owner !== '');
  return [...new Set([...roles, ...owners])].sort();
}

/** The server's timeline; null where the role may not know it. */
async function timelineOf(session: Session): Promise<number | null> {
  try {
    const { timeline } = await session.one(
      'ask for the timeline',
      'SELECT timeline_id::text AS timeline FROM pg_catalog.pg_control_checkpoint()',
    );
    return Number(timeline);
  } catch (error) {
    // Managed services forbid this function; everything else of the backup works without it.
    if (isHoldfastError(error) && error.context['sqlState'] === '42501') return null;
    throw error;
  }
}
