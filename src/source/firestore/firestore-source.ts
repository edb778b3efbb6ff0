import { HoldfastError } from '../../foundation/errors.ts';
import type { FirestoreDatabase } from '../../foundation/firestore-database.ts';
import type { Resolved, ValidateCheck } from '../../plan/index.ts';
import type { SnapshotWriter } from '../../repository/index.ts';
import type {
  Capture,
  CaptureContext,
  Comparison,
  Estimate,
  EstimateContext,
  ExamineContext,
  Finding,
  Restored,
  Source,
  Validation,
} from '../index.ts';
import { captureFirestore } from './capture/capture.ts';
import { estimateBackup } from './capture/estimate.ts';
import { examineFirestore } from './capture/examine.ts';
import type { ReadBudget } from './capture/read-meter.ts';
import type { FirestoreEndpoint } from './connection.ts';

export interface FirestoreSourceOptions {
  name: string;
  database: FirestoreDatabase;
  endpoint: FirestoreEndpoint;
  /** At the top of the database; undefined for all. */
  collections: readonly string[] | undefined;
  budget: ReadBudget;
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

  async restore(): Promise<Restored> {
    throw notHere();
  }

  async validate(): Promise<Validation> {
    throw notHere();
  }

  async compare(): Promise<Comparison> {
    throw notHere();
  }
}

function notHere(): HoldfastError {
  return new HoldfastError('not-provable', 'this version does not restore documents into Firestore', {
    hint: 'The documents lie in the snapshot as lines of JSON; restore the files with stock restic.',
  });
}
