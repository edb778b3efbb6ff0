import { HoldfastError } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import type { Target } from '../../foundation/target.ts';
import { notesOf, type SnapshotReader, type SnapshotWriter } from '../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Check,
  type Comparison,
  type DamageContext,
  type Damaged,
  type ExamineContext,
  type Finding,
  type ItemCount,
  type RestoreContext,
  type Restored,
  readManifest,
  type Source,
  type ValidateContext,
  type Validation,
} from '../index.ts';
import { archiveTree } from './archive/files.ts';
import { captureDatabase } from './capture.ts';
import { compareDatabase, expectedOf, recoveredDatabase } from './compare-database.ts';
import { damageRow } from './damage.ts';
import { readDetails } from './details.ts';
import { discrepanciesOf } from './discrepancies.ts';
import { findDumpPrograms } from './dump.ts';
import { examineServer } from './examine/examine.ts';
import { parseLocation } from './location.ts';
import { captureCluster } from './physical/capture.ts';
import { isPhysical, readPhysicalDetails } from './physical/details.ts';
import { restoreDataDirectory } from './physical/restore.ts';
import { validateCluster } from './physical/validate.ts';
import { type PlannedCheck, runPlanned } from './planned-checks.ts';
import { queryColumn } from './query-column.ts';
import { type DatabaseTarget, refuseTarget, releaseDatabase, restoreToDatabase } from './restore-to-database.ts';
import { LOCK_TIMEOUT_MS } from './snapshot.ts';
import { PART_BYTES } from './table-parts.ts';
import { validateDatabase } from './validate.ts';
import { findMark } from './wal/find-mark.ts';
import { followCluster } from './wal/follow.ts';
import { guardReplay } from './wal/replay-guard.ts';

export interface PostgresSourceOptions {
  name: string;
  /** The connection URL, fetched when it is needed: a restore to another place does not need it. */
  url: () => Promise<string>;
  /** Of a standby that `url` names: where its primary is, if that is known. */
  primaryUrl?: (() => Promise<string | undefined>) | undefined;
  /** How it is captured; what is restored is told by the snapshot. Logical by default. */
  method?: 'logical' | 'physical';
  /** The replication slot through which the log is followed; without one it is not. Physical only. */
  slot?: string | undefined;
  validate: PlannedCheck[];
  /** How long a backup waits for another session's exclusive lock; a minute by default. */
  lockTimeoutMs?: number;
  /** About as much of a table is read at a time, by one of several connections; 128 MiB by default. */
  partBytes?: number;
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/**
 * A PostgreSQL server. Captured logically: one moment of one database, as an archive that stock pg_restore restores.
 * Captured physically: the whole cluster, as a data directory that a server of the same major version starts from.
 */
export function createPostgresSource(options: PostgresSourceOptions): Source {
  return new PostgresSource(options);
}

class PostgresSource implements Source {
  readonly type = 'postgres';
  readonly capturesParts = true;
  readonly name: string;
  readonly follow?: NonNullable<Source['follow']>;
  readonly findMark = findMark;
  readonly guardReplay = guardReplay;
  readonly #options: PostgresSourceOptions;

  constructor(options: PostgresSourceOptions) {
    this.name = options.name;
    this.#options = options;
    const { slot, url, primaryUrl } = options;
    if (slot !== undefined) {
      const location = async () => parseLocation(await url());
      const primary = async () => {
        const given = await primaryUrl?.();
        return given === undefined ? undefined : parseLocation(given);
      };
      this.follow = (sink, context) => followCluster({ location, primary, slot }, sink, context);
    }
  }

  examine(context: ExamineContext): Promise<Finding[]> {
    const { url, method = 'logical', slot } = this.#options;
    return examineServer({ location: async () => parseLocation(await url()), method, slot }, context);
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const location = parseLocation(await this.#options.url());
    const { version, lockTimeoutMs = LOCK_TIMEOUT_MS, partBytes = PART_BYTES, method, slot } = this.#options;
    // A part of a cluster is dumped: its files by themselves are of no use.
    if (method === 'physical' && context.selection === undefined) {
      const primaryUrl = await this.#options.primaryUrl?.();
      const primary = primaryUrl === undefined ? undefined : parseLocation(primaryUrl);
      return captureCluster({ source: this.name, version, location, primary, slot }, writer, context);
    }
    return captureDatabase({ source: this.name, version, location, lockTimeoutMs, partBytes }, writer, context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    refuseOthers(target);
    const physical = isPhysical(await readManifest(reader));
    if (target.kind === 'database') return restoreToDatabase(reader, target, context, { isPhysical: physical });
    if (context.selection !== undefined || context.as !== undefined) throw wholeOnly();
    if (context.replace && !physical) throw notReplaced();
    return physical ? restoreDataDirectory(reader, target, context) : restoreArchive(reader, target.path, context);
  }

  async refuse(
    reader: SnapshotReader,
    target: DatabaseTarget,
    context: Pick<RestoreContext, 'selection' | 'as' | 'signal'>,
  ): Promise<void> {
    refuseOthers(target);
    await refuseTarget(target, context);
    if (!isPhysical(await readManifest(reader))) return;
    // The server that recovers is of the version that was captured; its definitions are dumped.
    await findDumpPrograms((await readPhysicalDetails(reader)).majorVersion);
  }

  async release(
    _reader: SnapshotReader,
    target: Target,
    context: Pick<RestoreContext, 'begunBy' | 'as' | 'signal'>,
  ): Promise<void> {
    if (target.kind === 'database') await releaseDatabase(target, context);
  }

  async checkPlanned(target: Target, context: Pick<ValidateContext, 'signal' | 'timeMs'>): Promise<Check[]> {
    if (target.kind !== 'database') throw new HoldfastError('target-unsuitable', 'queries are run on a server only');
    return runPlanned(parseLocation(target.url), target, this.#options.validate, context, context.timeMs);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    if (isPhysical(await readManifest(reader))) {
      if (target.kind === 'database') return validateCluster(reader, target, this.#options.validate, context);
      throw new HoldfastError('target-unsuitable', 'a cluster can be validated only while a server runs on it');
    }
    if (target.kind === 'database') return validateDatabase(reader, target, this.#options.validate, context);
    throw new HoldfastError('target-unsuitable', 'a database can be validated in a database only', {
      hint: 'What a directory has is an archive of pg_dump: restore to the URL of a database, and have that validated.',
    });
  }

  query(target: Target, sql: string, signal: AbortSignal): AsyncIterable<string | null> {
    if (target.kind === 'database') return queryColumn(target.url, sql, signal);
    throw new HoldfastError('target-unsuitable', 'only a database that runs can be asked');
  }

  async damage(target: DatabaseTarget, context: DamageContext): Promise<Damaged | undefined> {
    return damageRow(parseLocation(target.url), context);
  }

  /** A cluster's files do not tell how many rows they have. */
  async contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[] | undefined> {
    if (isPhysical(await readManifest(reader))) return undefined;
    const { tables } = (await readDetails(reader)).details;
    const counts = tables.map(({ schema, name, rows, bytes }) => ({
      item: `${schema}.${name}`,
      ...{ count: rows, unit: 'rows', bytes },
    }));
    const isMeant = item?.includes('.') === true ? item : `public.${item}`;
    return item === undefined ? counts : counts.filter((each) => each.item === isMeant);
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    if (other?.kind === 'directory') {
      throw new HoldfastError('target-unsuitable', 'a database can be compared with a database only', {
        hint: 'Give `--with` the URL of a database, or leave it out for the living one.',
      });
    }
    if (other !== undefined) refuseOthers(other);
    const location = parseLocation(other?.url ?? (await this.#options.url()));
    const { sandbox } = context;
    const expected =
      sandbox === undefined ? await expectedOf(reader) : await recoveredDatabase(parseLocation(sandbox.url), context);
    const side = other === undefined ? 'source' : 'target';
    return discrepanciesOf(await compareDatabase(expected, location, side, context));
  }
}

/** @throws target-unsuitable where a URL is not of PostgreSQL */
function refuseOthers(target: Target): void {
  if (target.kind === 'directory' || /^postgres(?:ql)?:\/\//i.test(target.url)) return;
  throw new HoldfastError('target-unsuitable', `${target.label} is not PostgreSQL, and takes no database of it`, {
    hint: 'Give a URL such as postgres://localhost/restored, or a directory.',
  });
}

function notReplaced(): HoldfastError {
  return new HoldfastError('source-unsupported', 'a backup of one database replaces no directory', {
    hint: 'Restore it to a directory, or a database, that is new.',
  });
}

function wholeOnly(): HoldfastError {
  return new HoldfastError('bad-usage', 'a part of a database is restored to a database only', {
    hint: 'Give `--to` a database URL, or leave `--only` out.',
  });
}

/** Writes the archive itself to a directory that is empty or made, or goes on there: `pg_restore` opens it. */
async function restoreArchive(reader: SnapshotReader, directory: string, context: RestoreContext): Promise<Restored> {
  const tree = await archiveTree(reader);
  const extracted = await reader.extract(directory, { ...context, tree });
  const { bytes, files, problems } = extracted;
  const note = `an archive of pg_dump: restore it with \`pg_restore --dbname=DATABASE ${shellWord(directory)}\``;
  return { bytes, items: files, notes: [note, ...notesOf(extracted)], problems };
}
