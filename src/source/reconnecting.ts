import { setTimeout as sleep } from 'node:timers/promises';
import { type HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { settled } from '../foundation/promises.ts';
import type { FollowContext, LogSink } from './log.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Follows a log over any number of connections, until the signal is aborted.
 * @param connect lives as long as one connection does, and throws what ended it
 * @param mayPass whether trying again may mend it
 * @throws what may not
 */
export async function overConnections(
  sink: LogSink,
  { signal, note }: FollowContext,
  { connect, mayPass }: { connect(): Promise<void>; mayPass(error: HoldfastError): boolean },
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const before = sink.durable?.lsn;
    try {
      await connect();
    } catch (error) {
      if (signal.aborted) return;
      if (!isHoldfastError(error) || !mayPass(error)) throw error;
      if (sink.durable?.lsn !== before) attempt = 0;
      // Full jitter, so that those who lost the same server do not come back all at once.
      const pauseMs = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16));
      note(`${error.message}; trying again`);
      await settled(sleep(pauseMs, undefined, { signal }));
    }
  }
}
