import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { HoldfastError } from '../foundation/errors.ts';
import { userCacheDirectory } from '../foundation/user-cache.ts';
import type { CacheContext, StoreContext } from '../operations/index.ts';
import type { FilesSource, GcsPlace, ReferenceContext, S3Place } from '../plan/index.ts';
import type { Bucket, ObjectStore } from '../store/index.ts';

/** A directory of this machine: as it is, unless the plan limits its bandwidth. */
export async function openDirectory(path: string, context: StoreContext): Promise<ObjectStore> {
  const { createLocalStore } = await import('../store/local/index.ts');
  return limited(await locked(createLocalStore(path), context), context);
}

export async function openS3(place: S3Place, context: StoreContext): Promise<ObjectStore> {
  const { createS3Store } = await import('../store/s3/index.ts');
  const { AWS_ACCESS_KEY_ID: user = '', AWS_PROFILE: profile = '' } = context.variables;
  return fromAfar(createS3Store(place), identityOf(place, user, profile), context);
}

export async function openGcs(place: GcsPlace, context: StoreContext): Promise<ObjectStore> {
  const { createGcsStore } = await import('../store/gcs/index.ts');
  const { GOOGLE_APPLICATION_CREDENTIALS: credentials = '' } = context.variables;
  return fromAfar(createGcsStore(place), identityOf(place, credentials), context);
}

/** The objects of others, which are read as they are: nothing stands between. @throws plan-invalid, secret-unavailable */
export async function openBucket(
  planned: NonNullable<FilesSource['bucket']>,
  references: ReferenceContext,
): Promise<Bucket> {
  const { storePlace } = await import('../plan/index.ts');
  const place = await storePlace(planned, references);
  switch (place.kind) {
    case 's3':
      return (await import('../store/s3/index.ts')).createS3Bucket(place);
    case 'gcs':
      return (await import('../store/gcs/index.ts')).createGcsBucket(place);
    case 'local':
      throw new HoldfastError('plan-invalid', 'the bucket of a source is no bucket', {
        hint: 'Expected s3://bucket/prefix or gs://bucket/prefix.',
      });
  }
}

/**
 * Another server may be quite another thing behind the same name, and a part of a bucket has the rules of all of it. What is
 * allowed depends on who asks.
 */
function identityOf({ kind, endpoint, bucket }: S3Place | GcsPlace, ...who: string[]): string {
  return JSON.stringify([kind, endpoint ?? '', bucket, ...who]);
}

/**
 * A store elsewhere with what stands between it and a repository, from the store outwards: counts, of each request that is
 * made; concurrency, which hears of each refusal; bandwidth; what makes requests again, so that each attempt goes through
 * all of these; what locks objects, where the plan says so; what is found out about the store. A cache comes before all, in
 * `withCache`.
 * @param identity of what has capabilities of its own: what was found out of one store holds for all of the same identity
 */
export async function fromAfar(store: ObjectStore, identity: string, context: StoreContext): Promise<ObjectStore> {
  const { clock, signal, variables } = context;
  const [{ MeteredStore }, { AdaptiveStore }, { RetryingStore }, { ProbedStore }] = await Promise.all([
    import('../store/metrics/index.ts'),
    import('../store/limits/index.ts'),
    import('../store/retrying/index.ts'),
    import('../store/probed/index.ts'),
  ]);
  const metrics = context.metrics?.();
  const counted = metrics === undefined ? store : new MeteredStore(store, metrics, clock);
  const paced = await limited(new AdaptiveStore(counted, clock), context);
  const retrying = new RetryingStore(paced, { clock, signal });
  return new ProbedStore(await locked(retrying, context), { clock, recordFile: recordFileOf(identity, variables) });
}

/** A store elsewhere with a cache of this machine before it, where the user has a place for one. */
export async function withCache(store: ObjectStore, context: Omit<CacheContext, 'place'>): Promise<ObjectStore> {
  const { CACHE_LIMIT_BYTES, CachingStore } = await import('../store/cache/index.ts');
  const base = userCacheDirectory(context.variables);
  if (base === undefined) return store;
  const directory = join(base, context.repositoryId);
  return new CachingStore(store, { directory, limitBytes: CACHE_LIMIT_BYTES, onProblem: context.note });
}

/** @throws store-unsuitable where the plan has objects locked in a place that cannot */
async function locked(store: ObjectStore, { clock, lock }: StoreContext): Promise<ObjectStore> {
  if (lock === undefined) return store;
  const [{ LockedStore }, { isLocked, isRemovedLocked }] = await Promise.all([
    import('../store/locked/index.ts'),
    import('../repository/index.ts'),
  ]);
  return new LockedStore(store, { ...lock, clock, isLocked, isRemovedLocked });
}

async function limited(store: ObjectStore, { clock, signal, limits }: StoreContext): Promise<ObjectStore> {
  if (limits === undefined) return store;
  const [{ BandwidthStore }, { pauseUntilAborted }] = await Promise.all([
    import('../store/limits/index.ts'),
    import('../foundation/pause.ts'),
  ]);
  return new BandwidthStore(store, limits, { clock, pause: pauseUntilAborted(signal) });
}

/** Where what is known of a store is kept between runs: in the user's cache, if there is one. */
function recordFileOf(identity: string, variables: StoreContext['variables']): string | undefined {
  const directory = userCacheDirectory(variables);
  if (directory === undefined) return undefined;
  return join(directory, 'stores', `${createHash('sha256').update(identity).digest('hex')}.json`);
}
