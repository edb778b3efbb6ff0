import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTimeMs, type TreeNode } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { GitAddress } from '../../plan/index.ts';
import { notesOf, type SnapshotReader, type SnapshotWriter } from '../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Comparison,
  type ExamineContext,
  type Finding,
  type ItemCount,
  type Manifest,
  type Problem,
  type RestoreContext,
  type Restored,
  readManifest,
  type Source,
  type ValidateContext,
  type Validation,
  type Watch,
  type WatchContext,
} from '../index.ts';
import { compareRefs } from './compare.ts';
import { examineRepository, makeScratch } from './examine.ts';
import { Git, type ResolvedCredentials } from './git-program.ts';
import { type Fsck, fsck, Mirror, refuseDamage } from './mirror.ts';
import { notIncluded } from './not-included.ts';
import { refCounts } from './ref-counts.ts';
import { isUnchanged, KEPT_PREFIX, type RefState, type Refs, refsDigest, withKept } from './refs.ts';
import { type Remote, readRefs } from './remote.ts';
import { DATA, RepositoryWriter, seed, storedState, storedTree } from './stored.ts';
import { orNotProvable, validateRepository } from './validate.ts';
import { RepositoryWatch } from './watch.ts';

export interface GitSourceOptions {
  name: string;
  /** Fetched when it is first needed: a restore needs neither. */
  address: () => Promise<GitAddress>;
  credentials: () => Promise<ResolvedCredentials | undefined>;
  /** Variables of Holdfast's environment: of these git gets what leads it to a server. */
  variables: Readonly<Record<string, string | undefined>>;
  /** Programs that must exit 0 when what was restored is right. */
  validate: { name: string; exec: string[] }[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** A git repository, fetched with stock git from wherever it lies. */
export function createGitSource(options: GitSourceOptions): Source {
  return new GitSource(options);
}

/** In a manifest all references are listed up to so many; the digest is of all in any case. */
const LISTED_REFS = 10_000;

class GitSource implements Source {
  readonly type = 'git';
  readonly name: string;
  readonly #options: GitSourceOptions;

  constructor(options: GitSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  examine({ signal }: ExamineContext): Promise<Finding[]> {
    return examineRepository((scratchDirectory) => this.#remote({ scratchDirectory, signal }), signal);
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const { clock, progress, scratchDirectory } = context;
    const startedMs = clock.nowMs();
    const remote = await this.#remote(context);
    progress.phase('reading references');
    const living = await readRefs(remote);
    const previous = await this.#previous(context);
    const kept = previous.state && (await this.#keepUnchanged(writer, context, { living, stored: previous.state }));
    const about = { startedMs, url: remote.address.url, problems: previous.problems };
    if (kept !== undefined) return this.#finish(context, { ...about, ...kept, timeMs: startedMs });
    const git = await Git.prepare({ ...context, variables: this.#options.variables });
    const mirror = new Mirror(git, join(scratchDirectory, 'mirror.git'));
    const timeMs = clock.nowMs();
    const { state, checked } = await this.#mirror(mirror, remote, { living, previous, context });
    progress.phase('storing the repository');
    const repository = new RepositoryWriter(
      writer,
      previous.reader === undefined ? { ...context, previous: undefined } : context,
      timeMs,
    );
    const root = await repository.store(mirror.directory);
    context.signal.throwIfAborted();
    const details = {
      ...{ breaches: checked.breaches, isShallow: await mirror.isShallow(), ...(await mirror.counts()) },
      notIncluded: await notIncluded(git, mirror.directory, state),
    };
    return this.#finish(context, { ...about, timeMs, root, counts: repository.counts, state, details });
  }

  /** The previous snapshot, as long as it is of a git repository that can be read: else everything is fetched anew. */
  async #previous({ previous: reader }: CaptureContext): Promise<Previous> {
    if (reader === undefined) return { problems: [] };
    try {
      const manifest = await readManifest(reader);
      if (manifest.type !== 'git') return { problems: [] };
      return { reader, state: await storedState(reader), details: manifest.details, problems: [] };
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      return { problems: [lostPrevious(error)] };
    }
  }

  /** What a repository that names what it named has is in the repository already. */
  async #keepUnchanged(
    writer: SnapshotWriter,
    context: CaptureContext,
    { living, stored }: { living: RefState; stored: RefState },
  ): Promise<Pick<Captured, 'root' | 'counts' | 'state' | 'details'> | undefined> {
    if (!isUnchanged(living, stored)) return undefined;
    const repository = new RepositoryWriter(writer, context, context.clock.nowMs());
    const root = await repository.keep(context.previous!);
    if (root === undefined) return undefined;
    const { details } = await readManifest(context.previous!);
    return { root, counts: repository.counts, state: stored, details };
  }

  /** Makes a mirror what the repository is, with what is kept of earlier times, and looks at all of it. */
  async #mirror(
    mirror: Mirror,
    remote: Remote,
    { living, previous, context }: { living: RefState; previous: Previous; context: CaptureContext },
  ): Promise<{ state: RefState; checked: Fsck }> {
    const { progress } = context;
    const format = formatOf(living) ?? formatOf(previous.state) ?? 'sha1';
    await mirror.init(format);
    const before = await this.#seed(mirror, { previous, context, format });
    progress.phase('fetching');
    const refs = await mirror.fetch(remote, living.head);
    const { head } = living;
    await mirror.setRefs({ head, refs: withKept(refs, keptOf(before), context.previous?.timeMs ?? 0) });
    const gone = await mirror.unreachable(before, refs);
    const former = new Map([...keptOf(before), ...gone]);
    const state = { head, refs: withKept(refs, former, context.previous?.timeMs ?? 0) };
    await mirror.setRefs(state);
    await mirror.foldPacks();
    progress.phase('checking the repository');
    const checked = await fsck(remote.git, mirror.directory);
    refuseDamage(checked, remote.address.url);
    return { state, checked };
  }

  /** @returns what the mirror names that was seeded */
  async #seed(
    mirror: Mirror,
    { previous, context, format }: { previous: Previous; context: CaptureContext; format: 'sha1' | 'sha256' },
  ): Promise<Refs> {
    const { reader, state } = previous;
    if (reader === undefined || state === undefined) return new Map();
    if ((formatOf(state) ?? format) !== format) {
      const message = `the repository has objects of ${format} now: nothing of the snapshots before is kept in this one`;
      context.progress.note(message);
      return new Map();
    }
    context.progress.phase('taking what is stored already');
    try {
      await seed(mirror, reader, context);
      return state.refs;
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      previous.problems.push(lostPrevious(error));
      await mirror.empty(format);
      return new Map();
    }
  }

  #finish(
    { clock, progress }: CaptureContext,
    { startedMs, timeMs, url, root, counts, state, details, problems }: Captured,
  ): Capture {
    const kept = [...state.refs.keys()].filter((name) => name.startsWith(KEPT_PREFIX)).length;
    const missing = details['notIncluded'];
    for (const what of Array.isArray(missing) ? missing : []) progress.note(`not in the backup: ${String(what)}`);
    const manifest: Manifest = {
      version: 1,
      source: this.name,
      type: this.type,
      startedAt: formatTimeMs(startedMs),
      finishedAt: formatTimeMs(clock.nowMs()),
      time: formatTimeMs(timeMs),
      tool: { name: 'holdfast', version: this.#options.version },
      details: {
        ...details,
        url,
        head: state.head ?? null,
        refs: state.refs.size,
        keptRefs: kept,
        refsDigest: refsDigest(state),
        ...(state.refs.size <= LISTED_REFS && { ids: Object.fromEntries(state.refs) }),
      },
      problems: problems.map(({ item, error }) => ({ item, code: error.code, message: error.message })),
    };
    return { roots: [root], paths: [`/${this.name}`], timeMs, manifest, problems, counts };
  }

  async watch(context: WatchContext): Promise<Watch> {
    const scratchDirectory = await makeScratch();
    const stop = new AbortController();
    const end = (): Promise<void> => rm(scratchDirectory, { recursive: true, force: true });
    try {
      const remote = await this.#remote({ scratchDirectory, signal: stop.signal });
      return await RepositoryWatch.begin({ remote, stop, end }, context);
    } catch (error) {
      await end();
      throw error;
    }
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    if (context.selection !== undefined) {
      throw new HoldfastError('bad-usage', 'a git repository is restored whole', {
        hint: 'Restore it without `--only` and `--exclude`, and take from it with `git` what you want.',
      });
    }
    const tree = await storedTree(reader, `/${DATA}`);
    const extracted = await reader.extract(directoryOf(target), { ...context, tree });
    const { details } = await readManifest(reader);
    return {
      bytes: extracted.bytes,
      items: extracted.files + extracted.directories + extracted.others,
      notes: [...notesOf(extracted), ...restoreNotes(details)],
      problems: extracted.problems,
      ...(extracted.surplus && { surplus: extracted.surplus }),
    };
  }

  async validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    const git = await orNotProvable(Git.prepare({ ...context, variables: this.#options.variables }));
    return validateRepository(reader, directoryOf(target), { git, checks: this.#options.validate, ...context });
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    const remote = await this.#remote(context, other && directoryOf(other));
    return compareRefs(await storedState(reader), await readRefs(remote));
  }

  async contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    const counts = refCounts((await storedState(reader)).refs);
    return item === undefined ? counts : counts.filter((each) => each.item === item);
  }

  /** The living repository, or another one in a directory. */
  async #remote(
    { scratchDirectory, signal }: Pick<RestoreContext, 'scratchDirectory' | 'signal'>,
    directory?: string,
  ): Promise<Remote> {
    const { variables } = this.#options;
    const address: GitAddress =
      directory === undefined ? await this.#options.address() : { protocol: 'path', url: directory };
    const credentials = directory === undefined ? await this.#options.credentials() : undefined;
    const configured = join(scratchDirectory, 'remote');
    await makeDirectories(configured, 0o700);
    return {
      git: await Git.prepare({ scratchDirectory: configured, variables, signal }, address, credentials),
      address,
    };
  }
}

interface Previous {
  reader?: SnapshotReader;
  state?: RefState;
  details?: Manifest['details'];
  /** What was to be kept of it and is lost. */
  problems: Problem[];
}

interface Captured {
  startedMs: number;
  timeMs: number;
  url: string;
  root: TreeNode;
  counts: Capture['counts'];
  state: RefState;
  details: Record<string, unknown>;
  problems: Problem[];
}

/** What a reference of an earlier time is called. */
function keptOf(refs: Refs): Refs {
  return new Map([...refs].filter(([name]) => name.startsWith(KEPT_PREFIX)));
}

function formatOf(state: RefState | undefined): 'sha1' | 'sha256' | undefined {
  const id = state?.refs.values().next().value ?? (state?.head && 'id' in state.head ? state.head.id : undefined);
  return id === undefined ? undefined : id.length === 64 ? 'sha256' : 'sha1';
}

function lostPrevious(cause: HoldfastError): Problem {
  const message = `what was rewritten before is not kept, as the snapshot before cannot be read: ${cause.message}`;
  return { item: 'refs/holdfast', error: new HoldfastError('repository-damaged', message, { cause }) };
}

function restoreNotes(details: Manifest['details']): string[] {
  const missing = Array.isArray(details['notIncluded']) ? details['notIncluded'].map(String) : [];
  const kept = Number(details['keptRefs'] ?? 0);
  return [
    ...missing.map((what) => `not in the backup: ${what}`),
    ...(kept > 0
      ? [`${kept} references of earlier times are below ${KEPT_PREFIX}: \`git push --mirror\` pushes them too`]
      : []),
  ];
}

function directoryOf(target: Target): string {
  if (target.kind === 'directory') return target.path;
  throw new HoldfastError('target-unsuitable', 'a git repository can be in a directory only, not in a database', {
    hint: 'Give the path of a directory: it becomes a bare repository, which can be pushed from and cloned.',
  });
}
