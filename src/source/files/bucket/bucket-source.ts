import { formatTimeMs, pathMatcher } from '../../../format/index.ts';
import { isHoldfastError } from '../../../foundation/errors.ts';
import type { Target } from '../../../foundation/target.ts';
import type { SnapshotReader, SnapshotWriter } from '../../../repository/index.ts';
import type { Bucket } from '../../../store/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Comparison,
  type ExamineContext,
  type Finding,
  findingOfError,
  type RestoreContext,
  type Restored,
  type Source,
  type ValidateContext,
  type Validation,
} from '../../index.ts';
import {
  directoryOf,
  type PlannedCheck,
  restoreToDirectory,
  rootsOf,
  treesOf,
  validateDirectory,
} from '../directory-target.ts';
import { DirectoryComparison } from '../validate.ts';
import { BucketCapture } from './bucket-capture.ts';
import { compareBucket } from './compare-bucket.ts';

export interface BucketSourceOptions {
  name: string;
  bucket: Bucket;
  /** Patterns of keys that are left out: see `pathMatcher`. */
  exclude: string[];
  validate: PlannedCheck[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** The objects in a bucket, or below a prefix of their keys. */
export function createBucketSource(options: BucketSourceOptions): Source {
  return new BucketSource(options);
}

class BucketSource implements Source {
  readonly type = 'files';
  readonly name: string;
  readonly #options: BucketSourceOptions;

  constructor(options: BucketSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async examine({ signal }: ExamineContext): Promise<Finding[]> {
    const { bucket } = this.#options;
    try {
      for await (const { key } of bucket.list()) {
        signal.throwIfAborted();
        const opened = await bucket.open(key);
        for await (const _ of opened?.body ?? []) break;
        return [{ level: 'ok', about: bucket.location, message: 'can be listed and read' }];
      }
      return [{ level: 'warning', about: bucket.location, message: 'holds no object' }];
    } catch (error) {
      signal.throwIfAborted();
      if (!isHoldfastError(error)) throw error;
      return [findingOfError(bucket.location, error)];
    }
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const { bucket, exclude, version } = this.#options;
    const startedMs = context.clock.nowMs();
    context.progress.phase('reading objects');
    const capture = new BucketCapture(bucket, { writer, context, isExcluded: pathMatcher(exclude) });
    const roots = await capture.capture();
    const { counts, problems } = capture;
    const manifest: Capture['manifest'] = {
      version: 1,
      source: this.name,
      type: this.type,
      startedAt: formatTimeMs(startedMs),
      finishedAt: formatTimeMs(context.clock.nowMs()),
      time: formatTimeMs(startedMs),
      tool: { name: 'holdfast', version },
      details: {
        bucket: bucket.location,
        exclude,
        files: counts.filesNew + counts.filesChanged + counts.filesUnmodified,
        directories: counts.dirs,
        bytes: counts.bytesProcessed,
        trees: treesOf(roots),
      },
      problems: problems.map(({ item, error }) => ({ item, code: error.code, message: error.message })),
    };
    return { roots, paths: [`/${this.name}`], timeMs: startedMs, manifest, problems, counts };
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    return restoreToDirectory(reader, target, context);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    return validateDirectory(reader, target, { context, checks: this.#options.validate });
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    const { bucket, exclude } = this.#options;
    if (other === undefined) return compareBucket(reader, bucket, { context, isExcluded: pathMatcher(exclude) });
    const comparison = new DirectoryComparison(reader, context);
    await comparison.compare(await rootsOf(reader), directoryOf(other));
    return { compared: comparison.entries, differences: comparison.differences, notes: [] };
  }
}
