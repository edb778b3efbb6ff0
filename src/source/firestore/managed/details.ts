import { z } from 'zod';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { readManifest } from '../../index.ts';

/** What the snapshot's data is: a note of an export that lies elsewhere. */
export const EXPORT_FORMAT = 'firestore-managed-export';
/** Under `/data`: the same for whoever has only the files. */
export const EXPORT_FILE = 'export.json';

const count = z.number().int().nonnegative();

const details = z.looseObject({
  format: z.literal(EXPORT_FORMAT),
  project: z.string(),
  database: z.string(),
  location: z.string().optional(),
  /** Where the documents lie: `gs://…`. */
  export: z.string(),
  /** The collections that were asked for, at any depth and without what is below; all documents, when left out. */
  chosen: z.array(z.string()).optional(),
  /** Whether all documents are of the one moment of the counts. */
  isOneMoment: z.boolean(),
  documents: count,
  // By the name of the collection, at any depth; of an export of all documents those at the top of the database.
  collections: z.array(z.object({ collection: z.string(), documents: count })),
});

/** What belongs to a managed export in the manifest of a snapshot. More may be there. */
export type ExportDetails = z.infer<typeof details>;

/** Whether the documents of a snapshot lie in a bucket. @throws repository-damaged where it has no manifest */
export async function isExport(reader: SnapshotReader): Promise<boolean> {
  return (await readManifest(reader)).details['format'] === EXPORT_FORMAT;
}

/** @throws repository-damaged where the snapshot is not of a managed export, or says too little of it */
export async function readExportDetails(reader: SnapshotReader): Promise<ExportDetails> {
  const parsed = details.safeParse((await readManifest(reader)).details);
  if (parsed.success) return parsed.data;
  throw new HoldfastError(
    'repository-damaged',
    `the manifest of snapshot ${reader.id.slice(0, 8)} is not that of a managed export`,
    { cause: parsed.error },
  );
}

/** What a person has to know of every such snapshot. */
export function outsideNote(location: string): string {
  return `the documents lie in ${location}, and not in the repository`;
}
