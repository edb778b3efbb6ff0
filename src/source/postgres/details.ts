import { z } from 'zod';
import { HoldfastError } from '../../foundation/errors.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { readManifest } from '../index.ts';
import { ROW_DIGEST } from './row-digest.ts';

/** What the snapshot's data is: stock pg_restore opens it. */
export const ARCHIVE_FORMAT = 'pg-directory-archive';

const count = z.number().int().nonnegative();

const table = z.object({
  schema: z.string(),
  name: z.string(),
  /** The file under `/data` that holds the rows. */
  file: z.string(),
  rows: count,
  /** Of the rows as COPY writes them. */
  bytes: count,
  /** As `digest` names it, of the rows. */
  digest: z.string(),
  /** Those that COPY takes, in order. */
  columns: z.array(z.string()),
});

const details = z.object({
  format: z.literal(ARCHIVE_FORMAT),
  /** Of the server that was captured: 15, `15.14 (Debian …)`, 150014. */
  majorVersion: count,
  serverVersion: z.string(),
  serverVersionNumber: count,
  archiveVersion: z.string(),
  pgDumpVersion: z.string(),
  database: z.string(),
  sizeBytes: count,
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `c` is the system's library, `i` ICU, `b` built in. */
  localeProvider: z.string(),
  /** Of ICU or the built-in provider. */
  locale: z.string().nullable(),
  /** How amounts of type money are written. */
  monetary: z.string(),
  /** `name=value`, as ALTER DATABASE … SET has them. */
  settings: z.array(z.string()),
  extensions: z.array(z.object({ name: z.string(), version: z.string() })),
  /** Roles that own something or have rights to it. */
  roles: z.array(z.string()),
  tablespaces: z.array(z.string()),
  /** The position in the write-ahead log just before the moment that was captured. */
  lsn: z.string().nullable(),
  timeline: count.nullable(),
  inRecovery: z.boolean(),
  /** How the digests below are made. */
  digest: z.literal(ROW_DIGEST),
  tables: z.array(table),
  sequences: count,
  largeObjects: z.object({ count, bytes: count, digest: z.string() }),
});

export type PostgresDetails = z.infer<typeof details>;
export type TableDetails = z.infer<typeof table>;

export interface PostgresManifest {
  details: PostgresDetails;
  clockOffsetMs: number;
}

/** @throws repository-damaged when the snapshot has no manifest of a PostgreSQL database that can be read */
export async function readDetails(reader: SnapshotReader): Promise<PostgresManifest> {
  const manifest = await readManifest(reader);
  const parsed = details.safeParse(manifest.details);
  if (parsed.success) return { details: parsed.data, clockOffsetMs: manifest.clockOffsetMs ?? 0 };
  throw new HoldfastError('repository-damaged', 'the snapshot has no manifest of a PostgreSQL database', {
    hint: 'Choose a snapshot of this source, or restore the archive under /data with pg_restore.',
    context: { snapshot: reader.id.slice(0, 8), reason: z.prettifyError(parsed.error) },
  });
}
