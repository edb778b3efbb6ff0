import { z } from 'zod';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { readManifest } from '../../index.ts';
import { DOCUMENT_DIGEST } from './digest.ts';

/** What the snapshot's data is. */
export const DOCUMENTS_FORMAT = 'firestore-documents';

const count = z.number().int().nonnegative();

const details = z.looseObject({
  format: z.literal(DOCUMENTS_FORMAT),
  project: z.string(),
  database: z.string(),
  /** Where the database is and of which kind, where the credentials may ask: `nam5`, `FIRESTORE_NATIVE`. */
  location: z.string().optional(),
  databaseType: z.string().optional(),
  /** The collections at the top that were captured; all, when left out. */
  chosen: z.array(z.string()).optional(),
  /** RFC 3339: the one moment that all documents are of. */
  readTime: z.string(),
  /** How the digests below are made. */
  digest: z.literal(DOCUMENT_DIGEST),
  documents: count,
  // `companies`, `companies/*/deals` and how much they have, sorted.
  collections: z.array(z.object({ collection: z.string(), documents: count, bytes: count, digest: z.string() })),
});

/** What belongs to Firestore in the manifest of a snapshot. More may be there. */
export type FirestoreDetails = z.infer<typeof details>;

/** @throws repository-damaged when the snapshot has no manifest of a Firestore database that can be read */
export async function readFirestoreDetails(reader: SnapshotReader): Promise<FirestoreDetails> {
  const parsed = details.safeParse((await readManifest(reader)).details);
  if (parsed.success) return parsed.data;
  throw new HoldfastError(
    'repository-damaged',
    `the manifest of snapshot ${reader.id.slice(0, 8)} is not that of a Firestore database`,
    { cause: parsed.error },
  );
}
