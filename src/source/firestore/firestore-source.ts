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
import type { FirestoreEndpoint } from './connection.ts';
import { compareDocuments } from './restore/compare.ts';
import type { OperationPrices } from './restore/estimate.ts';
import { type DatabaseTarget, restoreDocuments } from './restore/restore.ts';
import { restoreLines } from './restore/restore-lines.ts';
import { validateDocuments } from './restore/validate.ts';

export interface FirestoreSourceOptions {
  name: string;
  database: FirestoreDatabase;
  endpoint: FirestoreEndpoint;
  /** At the top of the database; undefined for all. */
  collections: readonly string[] | undefined;
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
  readonly #options: FirestoreSourceOptions;

  constructor(options: FirestoreSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async examine(context: ExamineContext): Promise<Finding[]> {
    return examineFirestore({ ...this.#options, source: this.name }, context);
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    return captureFirestore({ ...this.#options, source: this.name }, writer, context);
  }

  async estimate(context: EstimateContext): Promise<Estimate> {
    return estimateBackup({ ...this.#options, source: this.name }, context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    if (target.kind === 'directory') return restoreLines(reader, target.path, context);
    return restoreDocuments(reader, firestoreTarget(target), context, this.#options);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    const { endpoint, validate } = this.#options;
    return validateDocuments(reader, firestoreTarget(target), validate, { ...context, endpoint });
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    const { endpoint, database } = this.#options;
    if (other === undefined) return compareDocuments(reader, database, context, { endpoint, side: 'source' });
    const place = firestoreDatabase(firestoreTarget(other).url);
    return compareDocuments(reader, place, context, { endpoint, side: 'target' });
  }
}

/** @throws target-unsuitable */
function firestoreTarget(target: Target): DatabaseTarget {
  if (target.kind === 'database' && parseFirestoreDatabase(target.url) !== undefined) return target;
  throw new HoldfastError('target-unsuitable', 'documents can be in a Firestore database only', {
    hint: 'Write it as `firestore://PROJECT/DATABASE`.',
  });
}
