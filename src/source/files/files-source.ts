import { formatTimeMs, pathMatcher, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import { notesOf, type SnapshotReader, type SnapshotWriter } from '../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Check,
  type Comparison,
  type ExamineContext,
  type Finding,
  type ItemCount,
  MANIFEST_DIRECTORY,
  type Manifest,
  type RestoreContext,
  type Restored,
  readManifest,
  runCommandCheck,
  type Source,
  type ValidateContext,
  type Validation,
  type Watch,
  type WatchContext,
} from '../index.ts';
import { FileCapture, type FileCaptureOptions } from './capture.ts';
import { staleTree } from './changes.ts';
import { compareFiles } from './compare.ts';
import { estimateFiles } from './estimate.ts';
import { examinePath } from './examine.ts';
import { holdingOf, Tally } from './tally.ts';
import { TreeCounts } from './tree-counts.ts';
import { DirectoryComparison } from './validate.ts';

export interface FilesSourceOptions {
  name: string;
  /** Absolute. */
  paths: string[];
  /** Patterns of what is left out: see `pathMatcher`. */
  exclude: string[];
  /** Programs that must exit 0 when what was restored is right. */
  validate: { name: string; exec: string[] }[];
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

  async examine({ signal }: ExamineContext): Promise<Finding[]> {
    signal.throwIfAborted();
    return Promise.all(this.#options.paths.map(examinePath));
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const startedMs = context.clock.nowMs();
    const isExcluded = pathMatcher(this.#options.exclude);
    const isFirst = context.previous === undefined && context.selection === undefined;
    context.progress.phase('reading files', isFirst ? estimateFiles(this.#options.paths, isExcluded) : undefined);
    const changed = await changesSince(context);
    const capture = new FileCapture(writer, context, { isExcluded, ...(changed && { changed }) });
    const roots = await capture.capture(this.#options.paths);
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
        trees: Object.fromEntries(
          roots.filter(({ subtree }) => subtree !== undefined).map(({ name, subtree }) => [name, subtree]),
        ),
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
    const extracted = await reader.extract(directoryOf(target), { ...context, leaveOut: [`/${MANIFEST_DIRECTORY}`] });
    return {
      bytes: extracted.bytes,
      items: extracted.files + extracted.directories + extracted.others,
      notes: notesOf(extracted),
      problems: extracted.problems,
      ...(extracted.surplus && { surplus: extracted.surplus }),
    };
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    const directory = directoryOf(target);
    const roots = (await reader.entries(reader.tree)).filter(({ name }) => name !== MANIFEST_DIRECTORY);
    const comparison = await new DirectoryComparison(reader, context).compare(roots, directory);
    const checks = [this.#manifestCheck(roots, (await readManifest(reader)).details['trees']), comparison];
    for (const check of this.#options.validate) checks.push(await runCommandCheck(check, directory, context.signal));
    return { checks, notes: [] };
  }

  contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    return this.#counts.of(reader, item);
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    return compareFiles(reader, other === undefined ? '' : directoryOf(other), context);
  }

  #manifestCheck(roots: TreeNode[], listed: unknown): Check {
    const trees = (listed ?? {}) as Record<string, unknown>;
    const differing = roots.filter(({ name, subtree }) => trees[name] !== subtree).map(({ name }) => name);
    return {
      name: 'manifest',
      result: differing.length === 0 ? 'passed' : 'failed',
      detail:
        differing.length === 0
          ? 'the trees are those of the manifest'
          : `the manifest has other trees for ${differing.join(', ')}`,
    };
  }
}

/** What changed, where that and what the previous snapshot holds are known. */
async function changesSince({ previous, changed }: CaptureContext): Promise<FileCaptureOptions['changed']> {
  if (previous === undefined || changed === undefined) return undefined;
  const holding = holdingOf(await readManifest(previous));
  return holding && { stale: staleTree(changed), tally: new Tally(previous, holding) };
}

function directoryOf(target: Target): string {
  if (target.kind === 'directory') return target.path;
  throw new HoldfastError('target-unsuitable', 'files can be in a directory only, not in a database', {
    hint: 'Give the path of a directory.',
  });
}
