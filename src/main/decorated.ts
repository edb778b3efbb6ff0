import type { StoreContext } from '../operations/index.ts';
import type { ObjectStore } from '../store/index.ts';

/**
 * A store with what stands between it and a repository, from the store outwards: metrics, which count each request;
 * concurrency, which hears of each refusal; bandwidth. One whose objects are files of this machine only gets the bandwidth
 * that the plan allows it, and is given as it is where the plan names none.
 */
export async function decorated(store: ObjectStore, context: StoreContext): Promise<ObjectStore> {
  const { clock, limits } = context;
  const isLocal = store.fileOf !== undefined;
  if (isLocal && limits === undefined) return store;
  const [{ AdaptiveStore, BandwidthStore }, { MeteredStore }, { pauseUntilAborted }] = await Promise.all([
    import('../store/limits/index.ts'),
    import('../store/metrics/index.ts'),
    import('../foundation/pause.ts'),
  ]);
  const metrics = context.metrics?.();
  const metered = isLocal || metrics === undefined ? store : new MeteredStore(store, metrics, clock);
  const adaptive = isLocal ? store : new AdaptiveStore(metered, clock);
  if (limits === undefined) return adaptive;
  return new BandwidthStore(adaptive, limits, { clock, pause: pauseUntilAborted(context.signal) });
}
