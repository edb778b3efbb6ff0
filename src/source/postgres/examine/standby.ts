import type { Finding } from '../../index.ts';
import type { Session } from '../session.ts';
import { readStandby } from '../standby.ts';

/** What a backup of a standby needs beside what it needs of any server. @param session an ordinary connection to it */
export async function examineStandby(session: Session): Promise<Finding[]> {
  const { hasFullPages, moments } = await readStandby(session);
  const newest = new Date(Math.max(...moments.map(({ ms }) => ms))).toISOString();
  const found: Finding = {
    level: 'ok',
    about: 'standby',
    message: `the server is a standby, whose newest commit or checkpoint is of ${newest}`,
  };
  if (hasFullPages) return [found];
  return [
    found,
    {
      level: 'missing',
      about: 'full_page_writes',
      message: 'its primary writes with full_page_writes = off, so that no backup of the standby can be taken',
      mend: {
        place: 'postgresql.conf',
        lines: ['full_page_writes = on'],
        note: 'On the primary; then run there: SELECT pg_reload_conf(); CHECKPOINT;',
      },
    },
  ];
}

/** A standby takes nothing but its primary's log: what changes the cluster is said there. */
export function onPrimary(finding: Finding): Finding {
  const { mend } = finding;
  if (mend?.place !== 'sql' || !mend.lines.some((line) => /^(ALTER ROLE|GRANT) /.test(line))) return finding;
  const where = 'On the primary: the standby takes it over from there.';
  return { ...finding, mend: { ...mend, note: mend.note === undefined ? where : `${where} ${mend.note}` } };
}
