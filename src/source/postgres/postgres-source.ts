import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { Resolved, ValidateCheck } from '../../plan/index.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import type {
  Capture,
  CaptureContext,
  Check,
  Comparison,
  RestoreContext,
  Restored,
  Source,
  ValidateContext,
} from '../index.ts';
import { captureDatabase } from './capture.ts';
import { compareDatabase } from './compare-database.ts';
import { discrepanciesOf } from './discrepancies.ts';
import { parseLocation } from './location.ts';
import { archiveFiles, restoreDatabase, writeFileOf } from './restore.ts';
import { LOCK_TIMEOUT_MS } from './snapshot.ts';
import { PART_BYTES } from './table-parts.ts';
import { validateDatabase } from './validate.ts';

export interface PostgresSourceOptions {
  name: string;
  /** The connection URL, fetched when it is needed: a restore to another place does not need it. */
  url: () => Promise<string>;
  validate: Resolved<ValidateCheck>[];
  /** How long a backup waits for another session's exclusive lock; a minute by default. */
  lockTimeoutMs?: number;
  /** About as much of a table is read at a time, by one of several connections; 128 MiB by default. */
  partBytes?: number;
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** A PostgreSQL database, captured logically: one moment of it, as an archive that stock pg_restore restores. */
export function createPostgresSource(options: PostgresSourceOptions): Source {
  return new PostgresSource(options);
}

class PostgresSource implements Source {
  readonly type = 'postgres';
  readonly name: string;
  readonly #options: PostgresSourceOptions;

  constructor(options: PostgresSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const location = parseLocation(await this.#options.url());
    const { version, lockTimeoutMs = LOCK_TIMEOUT_MS, partBytes = PART_BYTES } = this.#options;
    return captureDatabase({ source: this.name, version, location, lockTimeoutMs, partBytes }, writer, context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    if (target.kind === 'directory' && context.selection !== undefined) {
      throw new HoldfastError('bad-usage', 'a part of a database is restored to a database only', {
        hint: 'Give `--to` a database URL, or restore the whole archive and use `pg_restore --table`.',
      });
    }
    return target.kind === 'database'
      ? restoreDatabase(reader, target, context)
      : restoreArchive(reader, target.path, context);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Check[]> {
    if (target.kind === 'database') return validateDatabase(reader, target, this.#options.validate, context);
    throw new HoldfastError('target-unsuitable', 'a database can be validated in a database only');
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    if (other?.kind === 'directory') {
      throw new HoldfastError('target-unsuitable', 'a database can be compared with a database only', {
        hint: 'Give `--with` the URL of a database, or leave it out for the living one.',
      });
    }
    const location = parseLocation(other?.url ?? (await this.#options.url()));
    return discrepanciesOf(await compareDatabase(reader, location, other === undefined ? 'source' : 'target', context));
  }
}

/** Writes the archive itself to a directory that is empty or made: `pg_restore` opens it. */
async function restoreArchive(
  reader: SnapshotReader,
  directory: string,
  { progress, signal }: RestoreContext,
): Promise<Restored> {
  const files = await archiveFiles(reader);
  const bytes = [...files.values()].reduce((sum, { size }) => sum + Number(size ?? 0), 0);
  progress.phase('writing the archive', { bytes, items: files.size });
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') {
      throw new HoldfastError('target-failed', `cannot make ${directory}: ${messageOf(error)}`, { cause: error });
    }
    if ((await readdir(directory)).length > 0) {
      throw new HoldfastError('target-not-empty', `the target ${directory} is not empty`, {
        hint: 'Name a directory that is empty or does not exist: a restore never overwrites what is there.',
      });
    }
  }
  for (const [name, node] of files) {
    signal.throwIfAborted();
    await writeFileOf(reader, node, join(directory, name));
    progress.advance({ bytes: Number(node.size ?? 0), items: 1 });
  }
  const note = `an archive of pg_dump: restore it with \`pg_restore --dbname=DATABASE ${directory}\``;
  return { bytes, items: files.size, notes: [note], problems: [] };
}
