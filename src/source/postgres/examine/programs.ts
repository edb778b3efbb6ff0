import { isHoldfastError } from '../../../foundation/errors.ts';
import { findPostgresPrograms, type PostgresPrograms } from '../../../foundation/postgres-programs.ts';
import { type Finding, findingOfError } from '../../index.ts';
import { findDumpPrograms } from '../dump.ts';

/** Whether pg_dump and pg_restore for a server of this version are on this machine: nothing is captured without. */
export function examineDumpPrograms(majorVersion: number): Promise<Finding> {
  return examinePrograms('pg_dump', 'pg_dump and pg_restore', () => findDumpPrograms(majorVersion));
}

/**
 * Whether a server for what is restored can be started on this machine. Backups can be taken without, but not proven.
 * @param newerServes as of an archive; a data directory needs this very version
 */
export async function examineServerPrograms(majorVersion: number, newerServes: boolean): Promise<Finding> {
  const range = { atLeastMajor: majorVersion, ...(newerServes ? {} : { atMostMajor: majorVersion }) };
  const finding = await examinePrograms('server programs', 'initdb and postgres', () =>
    findPostgresPrograms({ programs: ['initdb', 'postgres'], ...range }),
  );
  if (finding.level === 'ok') return finding;
  const loss = newerServes ? 'proofs' : 'proofs and recoveries to a moment';
  return { ...finding, level: 'warning', message: `${finding.message}: ${loss} are not-provable on this machine` };
}

async function examinePrograms(about: string, names: string, find: () => Promise<PostgresPrograms>): Promise<Finding> {
  try {
    const { version, binDirectory } = await find();
    return { level: 'ok', about, message: `${names} of PostgreSQL ${version} are in ${binDirectory}` };
  } catch (error) {
    if (isHoldfastError(error, 'program-missing') || isHoldfastError(error, 'program-too-old')) {
      return findingOfError(about, error);
    }
    throw error;
  }
}
