import { z } from 'zod';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { type Manifest, readManifest } from '../../index.ts';

/** What the snapshot's data is: a data directory that a server of the same major version starts from. */
export const DATA_DIRECTORY_FORMAT = 'pg-data-directory';

const count = z.number().int().nonnegative();

/** What the backup must have, since it was there before it began and after it ended. */
const contents = z.object({
  databases: z.array(z.string()),
  /** Of the database that the plan's URL names, qualified and quoted. */
  tables: z.array(
    z.object({
      name: z.string(),
      /** By the server's estimate it had so many, all the time; left out where it may have been empty in between. */
      rows: count.optional(),
    }),
  ),
  /** There are more tables, which are not named. */
  isCapped: z.boolean(),
});

export type ClusterContents = z.infer<typeof contents>;

const details = z.object({
  format: z.literal(DATA_DIRECTORY_FORMAT),
  majorVersion: count,
  serverVersion: z.string(),
  serverVersionNumber: count,
  /** What distinguishes this cluster from every other one. */
  systemIdentifier: z.string(),
  /** The log from here to there is in the snapshot; the cluster is consistent from `stopLsn` on. */
  startLsn: z.string(),
  stopLsn: z.string(),
  timeline: count,
  /** The database that the plan's URL names. */
  database: z.string(),
  /** A role that may do everything; empty where none may log in. */
  superuser: z.string(),
  /** What a server may not have less of than this one had. */
  settings: z.record(z.string(), z.string()),
  /** At which size the files of relations are cut. */
  cutBytes: count,
  /** Whether the cluster has checksums of its pages; all were verified then. */
  pageChecksums: z.boolean(),
  files: count,
  bytes: count,
  /** Those that lie elsewhere on the server; their content is under `/tablespaces/<oid>`. */
  tablespaces: z.array(z.object({ oid: z.string().regex(/^\d+$/), path: z.string() })),
  /** Files that Holdfast made, because on the server they lie outside of the data directory. */
  madeConfiguration: z.array(z.string()),
  /** It was taken of a standby; left out where it was not. */
  isStandby: z.boolean().optional(),
  /** What the server warned of. */
  warnings: z.array(z.string()),
  /** Older backups have none. */
  contents: contents.optional(),
});

export type PhysicalDetails = z.infer<typeof details>;

/** Whether a snapshot is of a data directory, and not of one database as an archive. */
export function isPhysical(manifest: Manifest): boolean {
  return manifest.details['format'] === DATA_DIRECTORY_FORMAT;
}

/** @throws repository-damaged when the snapshot has no manifest of a data directory that can be read */
export async function readPhysicalDetails(reader: SnapshotReader): Promise<PhysicalDetails> {
  const parsed = details.safeParse((await readManifest(reader)).details);
  if (parsed.success) return parsed.data;
  throw new HoldfastError('repository-damaged', 'the snapshot has no manifest of a PostgreSQL data directory', {
    hint: 'Choose another snapshot of this source, or restore the data directory under /data with restic.',
    context: { snapshot: reader.id.slice(0, 8), reason: z.prettifyError(parsed.error) },
  });
}
