import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isHoldfastError } from '../../../foundation/errors.ts';
import { parseLsnText } from '../../../repository/index.ts';
import { createSlot } from '../physical/replication.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';

const DUPLICATE_OBJECT = '42710';
/** The slot is held by a connection: perhaps by our own, which the server has not missed yet. */
export const OBJECT_IN_USE = '55006';
const DROP_ATTEMPTS = 60;
const DROP_PAUSE_MS = 1000;
const READABLE_PART = 30;

/** What the server says of our slot, and of its log. */
export interface SlotState {
  exists: boolean;
  isPhysical: boolean;
  /** What the server keeps for the slot begins here; undefined where it has given that up. */
  restartLsn: bigint | undefined;
  /** The process that streams through it. */
  activePid: string | undefined;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  walStatus: string | undefined;
  /** As much more the server can write before it gives the slot up, if it would. */
  safeBytes: number | undefined;
  serverLsn: bigint;
  segmentBytes: number;
}

/**
 * The name of the permanent slot that holds the log of a source: the same for the same plan and source, and of the
 * characters that a slot may have.
 */
export function slotName(plan: string, source: string): string {
  const readable = source
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_')
    .slice(0, READABLE_PART);
  const digest = createHash('sha256').update(`${plan}\0${source}`).digest('hex').slice(0, 8);
  return `holdfast_${readable}_${digest}`;
}

/**
 * Makes the slot, from which moment on the server keeps its log; one that is there is used again.
 * Source: PostgreSQL's documentation, "Streaming Replication Protocol", CREATE_REPLICATION_SLOT.
 * @param session a replication connection
 */
export async function ensureSlot(session: Session, name: string): Promise<void> {
  try {
    await createSlot(session, `"${name}" PHYSICAL RESERVE_WAL`);
  } catch (error) {
    if (!isHoldfastError(error) || error.context['sqlState'] !== DUPLICATE_OBJECT) throw error;
  }
}

/** Gives up what the server keeps for the slot. @param session a replication connection */
export async function dropSlot(session: Session, name: string): Promise<void> {
  await session.query('drop the slot', `DROP_REPLICATION_SLOT "${name}"`);
}

/**
 * The same over an ordinary connection, once the server has noticed that nobody streams through it any more.
 * Source: PostgreSQL's documentation, "Replication Management Functions", pg_drop_replication_slot.
 */
export async function dropUnusedSlot(session: Session, name: string, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await session.query('drop the slot', 'SELECT pg_catalog.pg_drop_replication_slot($1)', [name]);
      return;
    } catch (error) {
      const isInUse = isHoldfastError(error) && error.context['sqlState'] === OBJECT_IN_USE;
      if (!isInUse || attempt === DROP_ATTEMPTS) throw error;
      await sleep(DROP_PAUSE_MS, undefined, { signal });
    }
  }
}

/**
 * Source: PostgreSQL's documentation, "pg_replication_slots".
 * @param session an ordinary connection
 */
export async function inspectSlot(session: Session, name: string): Promise<SlotState> {
  const row = await session.one('look at the slot', sqlFile('slot'), [name]);
  const restart = row['restart_lsn'];
  return {
    exists: row['slot_type'] != null,
    isPhysical: row['slot_type'] === 'physical',
    restartLsn: restart == null ? undefined : parseLsnText(restart),
    activePid: row['active_pid'] ?? undefined,
    walStatus: row['wal_status'] ?? undefined,
    safeBytes: row['safe_wal_size'] == null ? undefined : Number(row['safe_wal_size']),
    serverLsn: parseLsnText(row['server_lsn']),
    segmentBytes: Number(row['segment_bytes']),
  };
}
