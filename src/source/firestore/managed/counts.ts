import { HoldfastError } from '../../../foundation/errors.ts';
import { countQuery } from '../capture/count.ts';
import type { RawTimestamp } from '../codec/values.ts';
import type { FirestoreConnection } from '../connection.ts';
import { CODE, codeOf, firestoreFailure } from '../failures.ts';
import { type LivingContext, topCollections } from '../restore/living-documents.ts';
import { readAgain } from '../restore/transient.ts';

export interface CountedExport {
  documents: number;
  /** By name, sorted; without those that have none. */
  collections: { collection: string; documents: number }[];
}

/**
 * How many documents an export has, or would have: of these collections, at any depth and without what is below; else all
 * that there are, and beside that those in each of the collections that are at the top.
 * @throws source-unreachable, source-refused; target-failed; source-unsupported where the server does not count
 */
export async function countExport(
  connection: FirestoreConnection,
  context: LivingContext,
  { chosen, readTime }: { chosen: readonly string[] | undefined; readTime?: RawTimestamp | undefined },
): Promise<CountedExport> {
  const { pause, signal, side } = context;
  const count = async (collectionId?: string): Promise<number> => {
    const query = { from: [{ ...(collectionId !== undefined && { collectionId }), allDescendants: true }] };
    try {
      return await readAgain(pause, () => countQuery(connection, query, readTime));
    } catch (error) {
      signal.throwIfAborted();
      throw codeOf(error) === CODE.unimplemented
        ? uncounted(error)
        : firestoreFailure(error, connection.database, side);
    }
  };
  const names = [...(chosen ?? (await topCollections(connection, context)))].sort();
  const collections = [];
  for (const collection of names) collections.push({ collection, documents: await count(collection) });
  const documents = chosen === undefined ? await count() : collections.reduce((sum, each) => sum + each.documents, 0);
  return { documents, collections: collections.filter((each) => each.documents > 0) };
}

function uncounted(cause: unknown): HoldfastError {
  return new HoldfastError('source-unsupported', 'the server does not count documents across collections', {
    hint: 'An emulator may not; Google does.',
    cause,
  });
}
