import { HoldfastError } from '../foundation/errors.ts';
import { type ReferenceContext, type Resolved, resolveReferences } from './secrets.ts';
import { type LocalPlace, parseStore, type S3Address } from './store.ts';
import type { Repository, S3Options } from './view.ts';

export type S3Place = S3Address & Resolved<S3Options>;

/** Where a repository's objects lie, with all that is needed to get there but credentials. */
export type StorePlace = LocalPlace | S3Place;

/**
 * Where a repository or mirror of the plan lies, its references resolved.
 * @throws plan-invalid for a text that came from a reference and names no store; secret-unavailable
 */
export async function storePlace(
  repository: Pick<Repository, 'store' | 's3'>,
  context: ReferenceContext,
): Promise<StorePlace> {
  const { store, s3 } = await resolveReferences({ store: repository.store, s3: repository.s3 }, context);
  const place = parseStore(store, context.directory);
  if ('problem' in place) throw new HoldfastError('plan-invalid', place.problem);
  return place.kind === 's3' ? { ...place, ...s3 } : place;
}
