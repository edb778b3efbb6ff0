import { displayName, formatTimeMs, NamedPaths } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import { notesOf, type SnapshotReader, type SnapshotWriter } from '../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Comparison,
  checkedPath,
  type ExamineContext,
  type Finding,
  findingOfError,
  type ItemCount,
  type Manifest,
  type RestoreContext,
  type Restored,
  runCommandCheck,
  type Source,
  type ValidateContext,
  type Validation,
} from '../index.ts';
import { dataTree, type Gathered, keyedDigest, SALT, saltOf, storedEntries, storeEntries } from './entries.ts';
import { gather, type Places } from './places.ts';
import { compareWithCloud, projectOf, restoreToCloud } from './restore-to-cloud.ts';
import { differencesBetween, readRestored } from './restored-directory.ts';
import { secretCounts } from './secret-counts.ts';
import type { Variables } from './secret-manager.ts';
import { validateSecrets } from './validate.ts';

const UNNAMED_HINT =
  'Write `--only` with a name (`database`), the end of a path (`versions/3`) or a whole path from `/` on, as `holdfast ls` shows them below `data`.';

export interface SecretsSourceOptions {
  name: string;
  places: () => Promise<Places>;
  /** The environment: what secrets are read from, and what says where Secret Manager is. */
  variables: Variables;
  /** Programs that must exit 0 when what was restored is right. */
  validate: { name: string; exec: string[] }[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** Secrets of Secret Manager, of files and of the environment. No value of one is in any message. */
export function createSecretsSource(options: SecretsSourceOptions): Source {
  return new SecretsSource(options);
}

class SecretsSource implements Source {
  readonly type = 'secrets';
  readonly capturesParts = true;
  readonly name: string;
  readonly #options: SecretsSourceOptions;

  constructor(options: SecretsSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Reads all of them: whether a value may be read is known when it was. */
  async examine({ signal }: ExamineContext): Promise<Finding[]> {
    try {
      const gathered = await this.#gather(signal);
      const found = gathered.entries.size;
      const summary: Finding = { level: found > 0 ? 'ok' : 'missing', about: 'secrets', message: summaryOf(gathered) };
      return [summary, ...gathered.problems.map(({ item, error }) => findingOfError(item, error))];
    } catch (error) {
      signal.throwIfAborted();
      if (!isHoldfastError(error)) throw error;
      return [findingOfError('secrets', error)];
    }
  }

  async #gather(signal: AbortSignal, wanted?: NamedPaths): Promise<Gathered> {
    const { places, variables } = this.#options;
    return gather(await places(), { variables, signal, wanted });
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const { clock, progress, signal, previous, selection } = context;
    const startedMs = clock.nowMs();
    progress.phase('reading secrets');
    const wanted = selection && new NamedPaths(selection.only);
    const gathered = await this.#gather(signal, wanted);
    const { entries, problems, counts } = gathered;
    if (entries.size === 0 && problems.length > 0) throw problems[0]!.error;
    wanted?.refuseUnused([this.name], UNNAMED_HINT);
    const salt = await saltOf(previous);
    const root = await storeEntries(writer, entries, salt);
    const bytes = [...entries.values()].reduce((sum, { content }) => sum + content.length, 0);
    progress.advance({ items: entries.size, bytes });
    signal.throwIfAborted();
    const manifest: Manifest = {
      version: 1,
      source: this.name,
      type: this.type,
      startedAt: formatTimeMs(startedMs),
      finishedAt: formatTimeMs(clock.nowMs()),
      time: formatTimeMs(startedMs),
      tool: { name: 'holdfast', version: this.#options.version },
      details: { ...counts, digest: keyedDigest(salt, entries) },
      problems: problems.map(({ item, error }) => ({ item, code: error.code, message: error.message })),
    };
    return {
      ...{ roots: [root], paths: [`/${this.name}`], timeMs: startedMs, manifest, problems },
      counts: { filesNew: entries.size, filesChanged: 0, filesUnmodified: 0, dirs: 0, bytesProcessed: bytes },
    };
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    if (target.kind === 'database') {
      const project = projectOf(target);
      const { entries } = await storedEntries(reader);
      return restoreToCloud(entries, project, { ...context, variables: this.#options.variables });
    }
    const tree = await dataTree(reader);
    const extracted = await reader.extract(target.path, { ...context, tree, leaveOut: [`/${SALT}`] });
    return {
      bytes: extracted.bytes,
      items: extracted.files,
      notes: notesOf(extracted),
      problems: extracted.problems,
      ...(extracted.surplus && { surplus: extracted.surplus }),
    };
  }

  async validate(reader: SnapshotReader, target: Target, { signal }: ValidateContext): Promise<Validation> {
    const path = directoryOf(target);
    const checks = await validateSecrets(reader, path);
    for (const check of this.#options.validate) checks.push(await runCommandCheck(check, checkedPath(path), signal));
    return { checks, notes: [] };
  }

  async contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    const counts = await secretCounts(reader);
    return item === undefined ? counts : counts.filter((each) => each.item === item);
  }

  async compare(reader: SnapshotReader, other: Target | undefined, { signal }: RestoreContext): Promise<Comparison> {
    const { entries } = await storedEntries(reader);
    if (other?.kind === 'database') return compareWithCloud(entries, projectOf(other), this.#options.variables);
    const living = other === undefined ? await this.#gather(signal) : undefined;
    const contents = living
      ? new Map([...living.entries].map(([path, { content }]) => [path, content]))
      : (await readRestored(directoryOf(other!))).contents;
    const differences = differencesBetween(entries, contents).map(({ path, kind }) => ({
      ...{ item: displayName(path), kind },
      detail: kind === 'missing' ? 'is missing' : kind === 'extra' ? 'is not in the snapshot' : 'differs',
    }));
    const unread = (living?.problems ?? []).map(({ item, error }) => ({
      ...{ item, kind: 'unreadable' as const },
      detail: error.message,
    }));
    return { compared: entries.size, differences: [...differences, ...unread], notes: [] };
  }
}

function summaryOf({ counts }: Gathered): string {
  const { secrets, versions, files, variables, disabled, destroyed } = counts;
  const unread = disabled + destroyed;
  return [
    ...(secrets > 0
      ? [
          `${secrets} ${secrets === 1 ? 'secret' : 'secrets'} with ${versions} enabled ${versions === 1 ? 'version' : 'versions'} can be read`,
        ]
      : []),
    ...(unread > 0 ? [`${disabled} versions are disabled and ${destroyed} destroyed, and are not backed up`] : []),
    ...(files > 0 ? [`${files} ${files === 1 ? 'file' : 'files'} can be read`] : []),
    ...(variables > 0 ? [`${variables} ${variables === 1 ? 'variable is' : 'variables are'} set`] : []),
    ...(secrets + files + variables === 0 ? ['there are none that can be read'] : []),
  ].join('; ');
}

function directoryOf(target: Target): string {
  if (target.kind === 'directory') return target.path;
  throw new HoldfastError('target-unsuitable', 'secrets are validated in a directory', {
    hint: 'Give the path of a directory.',
  });
}
