import type { Connection } from '../connection/connection.ts';
import { nonsense } from '../connection/failures.ts';

/** Where a server is in its stream, at one moment of its own. */
export interface Look {
  /** By the server's clock, and by ours halfway between question and answer. */
  serverMs: number;
  ownMs: number;
  /** How long the answer took. */
  tripMs: number;
  replicationId: string;
  /** The history that its own goes on from, and up to where; after a failover. */
  previous: { replicationId: string; offset: bigint } | undefined;
  offset: bigint;
  /** How much of the stream it keeps for replicas that come back, and how much it would. */
  backlogBytes: number;
  backlogLimitBytes: number;
}

const NO_ID = /^0{40}$/;

/**
 * Asks a server where it is, and what time it is there: both at once, as a transaction has it.
 * @throws source-lost, source-refused, source-damaged, timed-out
 */
export async function lookAt(connection: Connection, nowMs: () => number): Promise<Look> {
  const doing = 'see where the server is in its stream';
  const askedMs = nowMs();
  const queued = [['MULTI'], ['TIME'], ['INFO', 'replication']].map((words) => connection.call(doing, words));
  const answers = await Promise.all([...queued, connection.call(doing, ['EXEC'])]);
  const answeredMs = nowMs();
  const answer = answers.at(-1);
  const [time, info] = Array.isArray(answer) ? answer : [];
  if (!Array.isArray(time) || !Buffer.isBuffer(info)) throw nonsense(connection.location, 'no time and no position');
  const fields = new Map(
    info
      .toString('latin1')
      .split('\r\n')
      .flatMap((line) => (line.includes(':') ? [line.split(/:(.*)/) as [string, string]] : [])),
  );
  const bytes = (name: string): number => Number(fields.get(name) ?? 0);
  const [replicationId = '', offset = ''] = [fields.get('master_replid'), fields.get('master_repl_offset')];
  const serverMs = Math.floor(Number(time[0]) * 1000 + Number(time[1]) / 1000);
  if (!/^[0-9a-f]{40}$/.test(replicationId) || !/^\d{1,19}$/.test(offset) || !(serverMs > 0)) {
    throw nonsense(connection.location, 'no position in a stream');
  }
  return {
    serverMs,
    ownMs: (askedMs + answeredMs) / 2,
    tripMs: answeredMs - askedMs,
    replicationId,
    previous: previousOf(fields.get('master_replid2'), fields.get('second_repl_offset')),
    offset: BigInt(offset),
    backlogBytes: bytes('repl_backlog_histlen'),
    backlogLimitBytes: bytes('repl_backlog_size'),
  };
}

function previousOf(id = '', offset = ''): Look['previous'] {
  if (!/^[0-9a-f]{40}$/.test(id) || NO_ID.test(id) || !/^\d{1,19}$/.test(offset)) return undefined;
  return { replicationId: id, offset: BigInt(offset) };
}
