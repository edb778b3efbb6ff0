import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../../foundation/errors.ts';
import { awaitedLater } from '../../../foundation/promises.ts';
import { parseLsnText } from '../../../repository/index.ts';
import type { PostgresPromotion } from '../../failover.ts';
import { labelOf } from '../location.ts';
import { Session } from '../session.ts';
import { liftFence } from './fence.ts';
import { readState } from './server-state.ts';
import { openInside } from './way-in.ts';

const PAUSE_MS = 50;
const LOOK_MS = 3000;
const WRITE_TIMEOUT_MS = 30_000;

/**
 * See `PostgresFailover.promote`.
 * Source: PostgreSQL's documentation, "Recovery Control Functions", pg_promote.
 */
export async function promote(url: string, signal: AbortSignal): Promise<PostgresPromotion> {
  const session = await openInside(url, signal);
  try {
    const before = await readState(session);
    if (before.isStandby) {
      // One that was made as a copy of a fenced server has its settings, the fence among them.
      if (before.isSuperuser) await liftFence(session);
      await session.query('promote the standby', 'SELECT pg_catalog.pg_promote(false)');
    }
    await untilPrimary(session, signal);
    await writeDurably(session, signal);
    const { timeline } = await readState(session);
    if (before.isStandby && timeline <= before.timeline) throw sameTimeline(session, timeline);
    const forkLsn = await forkOf(session);
    return {
      label: labelOf(session.location),
      wasStandby: before.isStandby,
      timeline,
      ...(forkLsn !== undefined && { forkLsn }),
    };
  } finally {
    await session.close();
  }
}

/** It replays first all that it has got; how long that takes is for whoever gave the signal to decide. */
async function untilPrimary(session: Session, signal: AbortSignal): Promise<void> {
  for (;;) {
    const row = await session.one('ask for the promotion', 'SELECT pg_catalog.pg_is_in_recovery()::text AS busy');
    if (row['busy'] === 'false') return;
    await pause(PAUSE_MS, undefined, { signal });
  }
}

/** What replayed last ends where the timeline was left. The server forgets it when it is started again. */
async function forkOf(session: Session): Promise<bigint | undefined> {
  const row = await session.one(
    'ask where the timeline began',
    'SELECT pg_catalog.pg_last_wal_replay_lsn()::text AS lsn',
  );
  return row['lsn'] == null ? undefined : parseLsnText(row['lsn']);
}

/** A message in the log is a write as any, and leaves nothing behind in the database. @throws source-refused when it does not end */
async function writeDurably(session: Session, signal: AbortSignal): Promise<void> {
  const sql = `SELECT pg_catalog.pg_logical_emit_message(true, 'holdfast', 'promoted')`;
  const written = awaitedLater(session.query('write to the new primary', sql));
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    if (await endsWithin(written, LOOK_MS)) return;
    const waits = await waitsForStandby(session, signal);
    if (!waits && waitedMs < WRITE_TIMEOUT_MS) continue;
    session.destroy();
    throw unwritten(session, waits);
  }
}

async function endsWithin(written: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = awaitedLater(pause(timeoutMs, 'late' as const, { signal: timer.signal }));
  try {
    return (await Promise.race([written, late])) !== 'late';
  } finally {
    timer.abort();
  }
}

function unwritten({ location }: Session, waitsForStandby: boolean): HoldfastError {
  const where = labelOf(location);
  return new HoldfastError('source-refused', `${where} is a primary now, and a write there does not end`, {
    hint: waitsForStandby
      ? "It waits for a standby that its synchronous_standby_names demands and that is not there. Run there: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf(); and run the step again."
      : 'See in pg_stat_activity what it waits for, and run the step again.',
    retryable: true,
    context: { database: where },
  });
}

async function waitsForStandby({ location }: Session, signal: AbortSignal): Promise<boolean> {
  const other = await Session.open(location, { side: 'source', signal });
  try {
    const sql = `SELECT pg_catalog.count(*)::text AS waiting FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'`;
    return (await other.one('see what the write waits for', sql))['waiting'] !== '0';
  } finally {
    await other.close();
  }
}

function sameTimeline({ location }: Session, timeline: number): HoldfastError {
  const where = labelOf(location);
  return new HoldfastError('source-changed', `${where} was promoted and is still on timeline ${timeline}`, {
    hint: 'See in its log how its recovery ended: another server may be on the same timeline.',
    context: { database: where, timeline },
  });
}
