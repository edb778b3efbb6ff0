import type { Finding } from '../../index.ts';
import { quoteIdentifier, quoteLiteral } from '../identifiers.ts';
import { labelOf } from '../location.ts';
import { managedServiceOf } from '../managed-service.ts';
import type { Row, Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { examineDumpPrograms, examineServerPrograms } from './programs.ts';
import { lossWithoutLog } from './service-loss.ts';

/** What the makers of PostgreSQL still mend, and this is tested with. */
const OLDEST_MAJOR = 14;

/** What a logical backup of a database needs. @param session an ordinary connection */
export async function examineLogical(session: Session, longestGapMs: number | undefined): Promise<Finding[]> {
  const { number, version } = await session.one(
    'ask for the version',
    "SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version",
  );
  const majorVersion = Math.floor(Number(number) / 10_000);
  const service = await managedServiceOf(session);
  const found = await session.one('see what may be read', sqlFile('unreadable'));
  return [
    judgeVersion(majorVersion, version ?? ''),
    ...(service === undefined ? [] : [aboutService(service, longestGapMs)]),
    ...judgeReading(session, found),
    await examineDumpPrograms(majorVersion),
    await examineServerPrograms(majorVersion, true),
  ];
}

function judgeVersion(majorVersion: number, version: string): Finding {
  const about = 'version';
  if (majorVersion >= OLDEST_MAJOR) return { level: 'ok', about, message: `the server is PostgreSQL ${version}` };
  return {
    level: 'warning',
    about,
    message: `the server is PostgreSQL ${version}, and what is older than ${OLDEST_MAJOR} is not tested`,
    mend: { place: 'person', lines: ['Upgrade the server.'] },
  };
}

function aboutService(service: string, longestGapMs: number | undefined): Finding {
  return {
    level: 'ok',
    about: 'managed service',
    message: `the server is on ${service}: ${lossWithoutLog(longestGapMs)}`,
  };
}

function judgeReading({ location }: Session, row: Row): Finding[] {
  const { user } = location;
  const role = quoteIdentifier(user);
  const [wanted, refused, hidden, largeObjects] = ['wanted', 'refused', 'hidden', 'large_objects'].map((name) =>
    Number(row[name]),
  ) as [number, number, number, number];
  const findings: Finding[] = [];
  if (refused > 0) {
    findings.push({
      level: 'missing',
      about: 'reading',
      message: `the role ${user} may not read ${named(refused, row['refused_names'])} of the ${wanted} tables and sequences in ${labelOf(location)}`,
      mend: { place: 'sql', lines: [`GRANT pg_read_all_data TO ${role};`] },
    });
  }
  if (hidden > 0) {
    findings.push({
      level: 'missing',
      about: 'row level security',
      message: `policies may hide rows of ${named(hidden, row['hidden_names'])} from the role ${user}`,
      mend: { place: 'sql', lines: [`ALTER ROLE ${role} BYPASSRLS;`] },
    });
  }
  if (largeObjects > 0) findings.push(unreadableLargeObjects(user, largeObjects));
  if (findings.length > 0) return findings;
  const message = `the role ${user} may read all ${wanted} tables and sequences, and every row in them`;
  return [{ level: 'ok', about: 'reading', message }];
}

/** The right to read everything does not extend to them, and there is none for all that will ever be. */
function unreadableLargeObjects(user: string, count: number): Finding {
  const to = quoteLiteral(` TO ${quoteIdentifier(user)}`);
  const statement = `SELECT 'GRANT SELECT ON LARGE OBJECT ' || string_agg(oid::text, ', ') || ${to} FROM pg_largeobject_metadata`;
  return {
    level: 'missing',
    about: 'large objects',
    message: `the role ${user} may not read ${count} of the large objects`,
    mend: {
      place: 'sql',
      lines: [`DO $grant$ BEGIN EXECUTE (${statement}); END $grant$;`],
      note: 'Large objects that others make later need it again.',
    },
  };
}

/** `2 (public.a, public.b)`. */
function named(count: number, names: string | null | undefined): string {
  const some = JSON.parse(names ?? '[]') as string[];
  return `${count} (${some.join(', ')}${count > some.length ? ' …' : ''})`;
}
