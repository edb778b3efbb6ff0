import type { Clock } from '../../foundation/clock.ts';
import type { Session } from './session.ts';

const ATTEMPTS = 4;

/**
 * How far the server's clock is ahead of Holdfast's, in milliseconds: the server's time against the middle of the round
 * trip, of the quickest of a few.
 */
export async function measureClockOffset(session: Session, clock: Clock): Promise<number> {
  let best = { roundTripMs: Infinity, offsetMs: 0 };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const sentMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    const { now } = await session.one(
      "ask for the server's time",
      "SELECT (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::text AS now",
    );
    const roundTripMs = clock.monotonicMs() - startedMs;
    if (roundTripMs < best.roundTripMs) best = { roundTripMs, offsetMs: Number(now) - (sentMs + roundTripMs / 2) };
  }
  return Math.round(best.offsetMs * 1000) / 1000;
}
