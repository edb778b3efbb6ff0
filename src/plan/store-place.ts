import { HoldfastError } from '../foundation/errors.ts';
import { type ReferenceContext, type Resolved, resolveReferences } from './secrets.ts';
import { type GcsAddress, type LocalPlace, parseStore, type S3Address } from './store.ts';
import type { GcsOptions, Repository, S3Options } from './view.ts';

export type S3Place = S3Address & Resolved<S3Options>;
export type GcsPlace = GcsAddress & Resolved<GcsOptions>;

/** Where a repository's objects lie, with all that is needed to get there but credentials. */
export type StorePlace = LocalPlace | S3Place | GcsPlace;

/**
 * Where a repository or mirror of the plan lies, its references resolved.
 * @throws plan-invalid for a text that came from a reference and names no store; secret-unavailable
 */
export async function storePlace(
  repository: Pick<Repository, 'store' | 's3' | 'gcs'>,
  context: ReferenceContext,
): Promise<StorePlace> {
  const place = parseStore(await resolveReferences(repository.store, context), context.directory);
  if ('problem' in place) throw new HoldfastError('plan-invalid', place.problem);
  // What belongs to another kind of store is not asked for.
  if (place.kind === 's3') return { ...place, ...(await resolveReferences(repository.s3, context)) };
  if (place.kind === 'gcs') return { ...place, ...(await resolveReferences(repository.gcs ?? {}, context)) };
  return place;
}
