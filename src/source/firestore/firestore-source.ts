import { HoldfastError } from '../../foundation/errors.ts';
import {
  type FirestoreDatabase,
  firestoreDatabase,
  parseFirestoreDatabase,
} from '../../foundation/firestore-database.ts';
import type { Target } from '../../foundation/target.ts';
import type { Resolved, ValidateCheck } from '../../plan/index.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import type {
  Capture,
  CaptureContext,
  Comparison,
  Estimate,
  EstimateContext,
  ExamineContext,
  Finding,
  ItemCount,
  RestoreContext,
  Restored,
  Source,
  ValidateContext,
  Validation,
} from '../index.ts';
import { captureFirestore } from './capture/capture.ts';
import { estimateBackup } from './capture/estimate.ts';
import { examineFirestore } from './capture/examine.ts';
import type { ReadBudget } from './capture/read-meter.ts';
import { readFirestoreDetails } from './codec/details.ts';
import type { FirestoreEndpoint } from './connection.ts';
import { isExport, readExportDetails } from './managed/details.ts';
import { captureExport } from './managed/export.ts';
import { restoreExport } from './managed/import.ts';
import { compareExport, validateExport } from './managed/validate.ts';
import { compareDocuments } from './restore/compare.ts';
import type { OperationPrices } from './restore/estimate.ts';
import { type DatabaseTarget, releaseDocuments, restoreDocuments } from './restore/restore.ts';
import { restoreLines } from './restore/restore-lines.ts';
import { validateDocuments } from './restore/validate.ts';

export interface FirestoreSourceOptions {
  name: string;
  database: FirestoreDatabase;
  endpoint: FirestoreEndpoint;
  /** At the top of the database; undefined for all. */
  collections: readonly string[] | undefined;
  /** `gs://BUCKET/PREFIX`, where documents are not read but exported there by Google. */
  bucket?: string | undefined;
  budget: ReadBudget;
  prices: OperationPrices;
  /** What must hold for a restored copy. */
  validate: Resolved<ValidateCheck>[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** The documents of one Firestore database. */
export function createFirestoreSource(options: FirestoreSourceOptions): Source {
  return new FirestoreSource(options);
}

class FirestoreSource implements Source {
  readonly type = 'firestore';
  readonly name: string;
  readonly capturesParts: boolean;
  readonly #options: FirestoreSourceOptions;

  constructor(options: FirestoreSourceOptions) {
    this.name = options.name;
    this.capturesParts = options.bucket === undefined;
    this.#options = options;
  }

  async examine(context: ExamineContext): Promise<Finding[]> {
    return examineFirestore({ ...this.#options, source: this.name }, context);
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const options = { ...this.#options, source: this.name };
    if (options.bucket !== undefined) return captureExport(options, options.bucket, writer, context);
    return captureFirestore(options, writer, context);
  }

  async estimate(context: EstimateContext): Promise<Estimate> {
    return estimateBackup({ ...this.#options, source: this.name }, context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    if (await isExport(reader)) return restoreExport(reader, firestoreTarget(target), context, this.#options);
    if (target.kind === 'directory') return restoreLines(reader, target.path, context);
    return restoreDocuments(reader, firestoreTarget(target), context, this.#options);
  }

  async release(
    reader: SnapshotReader,
    target: Target,
    context: Pick<RestoreContext, 'selection' | 'replace' | 'diff' | 'signal'>,
  ): Promise<void> {
    // Only one that is restored to an empty database is marked.
    if (context.replace === true || context.diff === true) return;
    if (target.kind === 'database') await releaseDocuments(reader, target, context, this.#options.endpoint);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    const { endpoint, validate } = this.#options;
    const validated = (await isExport(reader)) ? validateExport : validateDocuments;
    return validated(reader, firestoreTarget(target), validate, { ...context, endpoint });
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    const { endpoint, database } = this.#options;
    const compared = (await isExport(reader)) ? compareExport : compareDocuments;
    if (other === undefined) return compared(reader, database, context, { endpoint, side: 'source' });
    const place = firestoreDatabase(firestoreTarget(other).url);
    return compared(reader, place, context, { endpoint, side: 'target' });
  }

  async contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    const { collections } = (await isExport(reader))
      ? await readExportDetails(reader)
      : await readFirestoreDetails(reader);
    return collections
      .filter(({ collection }) => item === undefined || item === collection)
      .map(({ collection, documents: count, ...more }: Counted) => ({
        ...{ item: collection, count, unit: 'documents' },
        ...(more.bytes !== undefined && { bytes: more.bytes }),
      }));
  }
}

/** Bytes are of those that were read. */
type Counted = { collection: string; documents: number; bytes?: number };

/** @throws target-unsuitable */
function firestoreTarget(target: Target): DatabaseTarget {
  if (target.kind === 'database' && parseFirestoreDatabase(target.url) !== undefined) return target;
  throw new HoldfastError('target-unsuitable', 'documents can be in a Firestore database only', {
    hint: 'Write it as `firestore://PROJECT/DATABASE`.',
  });
}
