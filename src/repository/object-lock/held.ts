import type { Clock } from '../../foundation/clock.ts';
import type { ObjectStore } from '../../store/index.ts';
import { isLocked, isRemovedLocked } from './locked-objects.ts';

/**
 * Until when an object cannot be removed from a store, in milliseconds since 1970; undefined where it can. Of what upkeep
 * removes in any case nothing is asked.
 */
export async function heldUntilMs(
  { lock }: ObjectStore,
  key: string,
  clock: Pick<Clock, 'nowMs'>,
): Promise<number | undefined> {
  if (lock === undefined || isRemovedLocked(key) || !isLocked(key)) return undefined;
  for await (const version of lock.listVersions(key)) {
    if (version.isMarker) return undefined;
    const { untilMs = 0 } = (await lock.lockOf(version)) ?? {};
    return untilMs > clock.nowMs() ? untilMs : undefined;
  }
  return undefined;
}
