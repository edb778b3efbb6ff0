import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { parseLsnText } from '../../repository/index.ts';
import { type Location, labelOf } from './location.ts';
import { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

/** What was committed by a moment of the primary's clock lies before a position of its log. */
export interface KnownMoment {
  /** Milliseconds since 1970. */
  ms: number;
  lsn: bigint;
}

/** What a standby tells of itself. */
export interface StandbyState {
  /** False of a server that was promoted. */
  isStandby: boolean;
  /** All of the log before it is replayed, at least; undefined where none was. */
  replayedLsn: bigint | undefined;
  /**
   * By the last transaction that was replayed, and by the last restart point. A standby's own clock says nothing: it goes
   * on while the primary is out of reach.
   */
  moments: KnownMoment[];
  /** As the primary had it at its last checkpoint that the standby knows. */
  hasFullPages: boolean;
  system: string;
}

/** What a primary tells of itself. */
export interface PrimaryState extends KnownMoment {
  timeline: number;
}

/** @param session an ordinary connection */
export async function readStandby(session: Session): Promise<StandbyState> {
  const row = await session.one('ask the standby how far it is', sqlFile('standby'));
  const replayed = row['replayed_lsn'] == null ? undefined : parseLsnText(row['replayed_lsn']);
  const moments: KnownMoment[] = [{ ms: Number(row['checkpoint_ms']), lsn: 0n }];
  if (row['replayed_ms'] != null && replayed !== undefined) {
    moments.push({ ms: Number(row['replayed_ms']), lsn: replayed });
  }
  return {
    isStandby: row['in_recovery'] === 'true',
    replayedLsn: replayed,
    moments,
    hasFullPages: row['full_page_writes'] === 'true',
    system: row['system'] ?? '',
  };
}

/**
 * @param session an ordinary connection
 * @param system of the standby's cluster
 * @throws source-changed where the server is no primary, or one of another cluster
 */
export async function readPrimary(session: Session, system: string): Promise<PrimaryState> {
  const row = await session.one('ask the primary how far it is', sqlFile('primary'));
  if (row['lsn'] == null || row['system'] !== system) {
    throw new HoldfastError(
      'source-changed',
      `the server of ${labelOf(session.location)} is not the standby's primary`,
      {
        hint: 'Let `url:` in the plan name the server that the standby follows.',
      },
    );
  }
  return {
    ms: Number(row['now_ms']),
    lsn: parseLsnText(row['lsn']),
    timeline: Number.parseInt(row['timeline'] ?? '', 16),
  };
}

const NOT_IN_STATE = '55000';

/**
 * The error that ended a base backup of a standby, said as what it means there. The server itself finds out both: that it was
 * promoted meanwhile, and that its primary writes less into its log than such a backup needs.
 * Source: PostgreSQL's src/backend/backup/basebackup.c and src/backend/access/transam/xlog.c, do_pg_backup_stop.
 */
export async function explainStandbyFailure(error: unknown, location: Location, signal: AbortSignal): Promise<unknown> {
  if (!isHoldfastError(error) || error.context['sqlState'] !== NOT_IN_STATE) return error;
  const where = labelOf(location);
  const details = { context: error.context, cause: error };
  // The name of the setting is the same in every language that a server may speak.
  if (/full_page_writes/.test(String(error.context['reason']))) return withoutFullPages(where, details);
  if (await isStandbyStill(location, signal)) return error;
  return new HoldfastError('source-changed', `the standby ${where} was promoted while it was backed up`, {
    hint: 'What had come by then is no backup, and nothing of it was kept as one. Back up again: the server is a primary now, and its backup begins on the new timeline.',
    retryable: true,
    ...details,
  });
}

function withoutFullPages(
  where: string,
  details: { context: HoldfastError['context']; cause: unknown },
): HoldfastError {
  return new HoldfastError(
    'source-refused',
    `the primary of the standby ${where} writes, or wrote a moment ago, with full_page_writes = off: a backup of the standby would be corrupt`,
    {
      hint: 'On the primary, put the line `full_page_writes = on` into postgresql.conf, run: SELECT pg_reload_conf(); CHECKPOINT; and back up again once the standby has replayed that. Nothing of this backup was kept.',
      ...details,
    },
  );
}

async function isStandbyStill(location: Location, signal: AbortSignal): Promise<boolean> {
  const session = await Session.open(location, { side: 'source', signal });
  try {
    return (await readStandby(session)).isStandby;
  } finally {
    await session.close();
  }
}
