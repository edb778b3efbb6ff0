import { releaseBuffer } from '../../foundation/buffers.ts';
import type { Clock } from '../../foundation/clock.ts';
import { Connection } from './connection/connection.ts';
import type { Side } from './connection/failures.ts';
import type { Location } from './connection/location.ts';
import { RdbReader, type RdbReaderOptions, type RdbSummary } from './rdb/reader.ts';
import { ReplicaLink } from './replication/replica-link.ts';
import { scanAsRdb } from './scan/scan.ts';
import { inspectServer, measureClockOffset } from './server.ts';

export interface ServerToRead {
  location: Location;
  method: 'replication' | 'scan';
  side: Side;
}

export interface ServerRdb {
  summary: RdbSummary;
  /** What expires until then, by the server's clock, was not counted: it may be gone already, or go while it is looked for. */
  expiredBeforeMs: number;
}

/** As long as reading key by key may take while keys expire. */
const SCAN_MARGIN_MS = 10 * 60_000;

/**
 * Reads everything that a server has.
 * @param each is awaited for every part of the RDB, which is gone then
 */
export async function readServer(
  { location, method, side }: ServerToRead,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
  options: Omit<RdbReaderOptions, 'origin'> = {},
  each?: (bytes: Uint8Array) => Promise<unknown>,
): Promise<ServerRdb> {
  const connection = await Connection.open({ ...location, database: 0 }, { side, signal });
  try {
    const facts = await inspectServer(connection);
    const offsetMs = (await measureClockOffset(connection, clock)) ?? 0;
    const reader = new RdbReader({ ...options, origin: 'source' });
    let expiredBeforeMs = Number.NaN;
    const take = async (rdb: AsyncIterable<Uint8Array>, marginMs: number): Promise<ServerRdb> => {
      for await (const bytes of rdb) {
        if (Number.isNaN(expiredBeforeMs)) {
          // What comes is of a moment before.
          expiredBeforeMs = clock.nowMs() + offsetMs + marginMs;
          reader.expiredBeforeMs = expiredBeforeMs;
        }
        reader.write(bytes);
        await each?.(bytes);
        releaseBuffer(bytes);
      }
      return { summary: reader.end(), expiredBeforeMs };
    };
    if (method === 'scan') return await take(scanAsRdb(connection, facts, signal), SCAN_MARGIN_MS);
    const link = await ReplicaLink.open(location, { signal, purpose: 'rdb-only', side });
    try {
      const synchronized = await link.synchronize();
      if (synchronized.kind !== 'full') throw new TypeError('the stream goes on, which nobody asked for');
      return await take(synchronized.rdb, 0);
    } finally {
      link.close();
    }
  } finally {
    connection.destroy();
  }
}
