import { parseTime } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { lsnText, parseLsnText } from '../../repository/index.ts';
import { parseMoment } from '../snapshots-of.ts';

/** Where a recovery by a log is to end. */
export type RecoveryTarget =
  | { kind: 'latest' }
  /**
   * With all that was committed by then, by the server's clock. PostgreSQL tells of a commit to the microsecond: what of
   * them is beyond the millisecond is beside it, 0 to 999.
   */
  | { kind: 'time'; timeMs: number; microseconds: number }
  /** With all of the log before this position. */
  | { kind: 'lsn'; lsn: bigint }
  /** With this transaction. */
  | { kind: 'xid'; xid: string }
  /** At a restore point, as `pg_create_restore_point` makes one. */
  | { kind: 'name'; name: string };

const LSN = /^(?:lsn:)?([0-9A-F]{1,8}\/[0-9A-F]{1,8})$/i;
const XID = /^xid:(\d{1,20})$/;
const NAME = /^name:(.{1,63})$/;

/** @param at as given: a moment, `latest`, `16/B374D848`, `xid:1234`, `name:before the migration`. @throws bad-usage */
export function parseRecoveryTarget(at: string, nowMs: number): RecoveryTarget {
  const [lsn, xid, name] = [LSN, XID, NAME].map((pattern) => pattern.exec(at)?.[1]);
  if (lsn !== undefined) return { kind: 'lsn', lsn: parseLsnText(lsn) };
  if (xid !== undefined) return { kind: 'xid', xid };
  if (name !== undefined) return { kind: 'name', name };
  const timeMs = parseMoment(at, nowMs);
  return timeMs === undefined ? { kind: 'latest' } : { kind: 'time', timeMs, microseconds: microsecondsOf(at) };
}

/** What a time has beyond milliseconds. */
function microsecondsOf(at: string): number {
  return Number(((parseTime(at.replace(' ', 'T')) ?? 0n) / 1000n) % 1000n);
}

/** Whether it is a position in a log, which only a source with a log has, and no moment. */
export function isLogTarget(at: string): boolean {
  return LSN.test(at) || XID.test(at) || NAME.test(at);
}

/** What `latest` is called where it was recovered. */
export const END_OF_LOG = 'the end of the log';

/** As a person is told. */
export function targetText(target: RecoveryTarget): string {
  switch (target.kind) {
    case 'latest':
      return END_OF_LOG;
    case 'time':
      return timeText(target);
    case 'lsn':
      return `position ${lsnText(target.lsn)}`;
    case 'xid':
      return `transaction ${target.xid}`;
    case 'name':
      return `the restore point ${JSON.stringify(target.name)}`;
  }
}

/**
 * The server's settings for a target.
 * Source: PostgreSQL's documentation, "Recovery Target".
 */
export function targetSettings(target: RecoveryTarget): Record<string, string> {
  switch (target.kind) {
    case 'latest':
      return {};
    case 'time':
      return { recovery_target_time: serverTime(target), recovery_target_inclusive: 'on' };
    case 'lsn':
      return { recovery_target_lsn: lsnText(target.lsn), recovery_target_inclusive: 'off' };
    case 'xid':
      return { recovery_target_xid: target.xid, recovery_target_inclusive: 'on' };
    case 'name':
      return { recovery_target_name: target.name };
  }
}

/** When a server reads its settings, it knows no time zones by their names yet, and no `Z`. */
function serverTime(target: TimeTarget): string {
  return timeText(target).replace('T', ' ').replace('Z', '+00');
}

type TimeTarget = Extract<RecoveryTarget, { kind: 'time' }>;

function timeText({ timeMs, microseconds }: TimeTarget): string {
  const text = new Date(timeMs).toISOString();
  return microseconds === 0 ? text : text.replace('Z', `${String(microseconds).padStart(3, '0')}Z`);
}

/** @throws bad-usage */
export function refuseLogTarget(at: string | undefined, source: string | undefined): void {
  if (at === undefined || !isLogTarget(at)) return;
  throw new HoldfastError('bad-usage', `${source ?? 'a snapshot'} has no log that ${at} could be a position of`, {
    hint: 'Give a time; positions, transactions and restore points belong to sources with a log, `wal: stream` or `stream: true`.',
  });
}
