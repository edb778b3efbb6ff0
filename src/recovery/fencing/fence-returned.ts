import type { EventBodies } from '../../ledger/index.ts';
import type { Workspace } from '../../operations/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import { parsePosition } from '../steps/failover/position.ts';
import {
  FENCE_TIMEOUT_MS,
  ifReached,
  isSameServer,
  postgresFailoverOf,
  redisFailoverOf,
  serverOf,
  urlOf,
} from '../steps/failover/servers.ts';
import { type PendingPostgresFence, type PendingRedisFence, pendingFences } from './pending-fences.ts';

export type FenceCompleted = EventBodies['fence.completed'];

/**
 * Tries once to fence every server that was out of reach when an incident wanted it fenced, and records it where that was done,
 * with what the server had written meanwhile that nobody took over.
 * @returns what was fenced. @throws what kept a server that answers from being fenced, once all were tried; what keeps the ledger
 *   from being read
 */
export async function fenceReturned(workspace: Workspace, signal: AbortSignal): Promise<FenceCompleted[]> {
  const record = new RunRecord(workspace);
  const done: FenceCompleted[] = [];
  const failures: unknown[] = [];
  for (const pending of pendingFences(await record.read(), (standby) => workspace.plan.standbys.get(standby)?.of)) {
    try {
      const completed =
        pending.of === 'redis'
          ? await ifReached(signal, (reach) => fenceRedis(workspace, pending, reach))
          : await ifReached(signal, (reach) => fencePostgres(workspace, pending, reach), FENCE_TIMEOUT_MS);
      if (completed === undefined) continue;
      await record.append('fence.completed', completed);
      done.push(completed);
    } catch (error) {
      signal.throwIfAborted();
      // One that refuses keeps no other from being fenced.
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return done;
}

/** @returns undefined where it is out of reach, or another server answers there by now: the new primary, by a name that leads to it, or a standby */
async function fencePostgres(
  workspace: Workspace,
  pending: PendingPostgresFence,
  signal: AbortSignal,
): Promise<FenceCompleted | undefined> {
  const { run, step, source, promoted } = pending;
  const failover = await postgresFailoverOf(workspace);
  const url = await urlOf(workspace, pending.url, serverOf(workspace, source, 'postgres'));
  const seen = await ifReached(signal, (reach) => failover.look(url, reach));
  if (seen === undefined || seen.isStandby) return undefined;
  if (promoted !== undefined && seen.timeline >= promoted.timeline) return undefined;
  const { label } = await failover.fence({ admin: url, application: url }, signal);
  const known = { run, step, source, server: label };
  if (promoted?.position === undefined) return known;
  const { bytes, transactions } = await failover.divergence(url, parsePosition(promoted.position), signal);
  return {
    ...known,
    divergentBytes: Number(bytes),
    ...(transactions !== undefined && { divergentTransactions: transactions }),
  };
}

/**
 * Has an old master refuse writes. It keeps what it has, which nobody took over: a person has it follow the new one, and
 * then that is gone.
 * @returns undefined where it is a replica, where its successor answers at its address, or where that is no master any more:
 *   somebody has switched back
 */
async function fenceRedis(
  workspace: Workspace,
  { run, step, source, successor }: PendingRedisFence,
  signal: AbortSignal,
): Promise<FenceCompleted | undefined> {
  const failover = await redisFailoverOf(workspace);
  const planned = serverOf(workspace, source, 'redis');
  const url = await urlOf(workspace, undefined, planned);
  const old = await failover.look(url, signal);
  if (old.isReplica) return undefined;
  const promoted = await failover.look(await urlOf(workspace, successor, planned), signal);
  if (promoted.isReplica || isSameServer(old, promoted)) return undefined;
  const { label, isLasting } = await failover.fence(url, signal);
  return { run, step, source, server: label, ...(!isLasting && { isLasting }) };
}
