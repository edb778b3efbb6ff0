import { formatTimeMs, pathMatcher } from '../../format/index.ts';
import type { Target } from '../../foundation/target.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Comparison,
  type ExamineContext,
  type Finding,
  type ItemCount,
  type Manifest,
  type RestoreContext,
  type Restored,
  readManifest,
  type Source,
  type ValidateContext,
  type Validation,
  type Watch,
  type WatchContext,
} from '../index.ts';
import { FileCapture, type FileCaptureOptions } from './capture.ts';
import { staleTree } from './changes.ts';
import { compareFiles } from './compare.ts';
import { directoryOf, type PlannedCheck, restoreToDirectory, treesOf, validateDirectory } from './directory-target.ts';
import { estimateFiles } from './estimate.ts';
import { examinePath } from './examine.ts';
import { holdingOf, Tally } from './tally.ts';
import { TreeCounts } from './tree-counts.ts';
import { examineWatches } from './watch/examine-watches.ts';

export interface FilesSourceOptions {
  name: string;
  /** Absolute. */
  paths: string[];
  /** Patterns of what is left out: see `pathMatcher`. */
  exclude: string[];
  /** Programs that must exit 0 when what was restored is right. */
  validate: PlannedCheck[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** Directories and files of this machine. */
export function createFilesSource(options: FilesSourceOptions): Source {
  return new FilesSource(options);
}

class FilesSource implements Source {
  readonly type = 'files';
  readonly capturesParts = true;
  readonly name: string;
  readonly #options: FilesSourceOptions;
  readonly #counts = new TreeCounts();

  constructor(options: FilesSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async examine({ signal, longestGapMs }: ExamineContext): Promise<Finding[]> {
    signal.throwIfAborted();
    const { paths, exclude } = this.#options;
    const findings = await Promise.all(paths.map(examinePath));
    // What is continuous leaves no gap.
    return longestGapMs === 0 ? [...findings, ...examineWatches(paths, pathMatcher(exclude))] : findings;
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const startedMs = context.clock.nowMs();
    const isExcluded = pathMatcher(this.#options.exclude);
    const isFirst = context.previous === undefined && context.selection === undefined;
    const over = new AbortController();
    const estimate = () => estimateFiles(this.#options.paths, isExcluded, over.signal);
    context.progress.phase('reading files', isFirst ? estimate : undefined);
    const changed = await changesSince(context);
    const capture = new FileCapture(writer, context, { isExcluded, ...(changed && { changed }) });
    const roots = await capture.capture(this.#options.paths).finally(() => over.abort());
    const { problems, counts, again } = capture;
    const manifest: Manifest = {
      version: 1,
      source: this.name,
      type: this.type,
      startedAt: formatTimeMs(startedMs),
      finishedAt: formatTimeMs(context.clock.nowMs()),
      time: formatTimeMs(startedMs),
      tool: { name: 'holdfast', version: this.#options.version },
      details: {
        paths: this.#options.paths,
        exclude: this.#options.exclude,
        files: counts.filesNew + counts.filesChanged + counts.filesUnmodified,
        directories: counts.dirs,
        bytes: counts.bytesProcessed,
        // A tree's id is the digest of everything below it.
        trees: treesOf(roots),
      },
      problems: problems.map(({ item, error }) => ({ item, code: error.code, message: error.message })),
    };
    return { roots, paths: this.#options.paths, timeMs: startedMs, manifest, problems, again, counts };
  }

  async watch(context: WatchContext): Promise<Watch> {
    const { watchFiles } = await import('./watch/watch-files.ts');
    return watchFiles(this.#options.paths, pathMatcher(this.#options.exclude), context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    return restoreToDirectory(reader, target, context);
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    return validateDirectory(reader, target, { context, checks: this.#options.validate });
  }

  contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    return this.#counts.of(reader, item);
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    return compareFiles(reader, other === undefined ? '' : directoryOf(other), context);
  }
}

/** What changed, where that and what the previous snapshot holds are known. */
async function changesSince({ previous, changed }: CaptureContext): Promise<FileCaptureOptions['changed']> {
  if (previous === undefined || changed === undefined) return undefined;
  const holding = holdingOf(await readManifest(previous));
  return holding && { stale: staleTree(changed), tally: new Tally(previous, holding) };
}
