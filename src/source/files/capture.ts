import { type BigIntStats, lstatSync, statSync } from 'node:fs';
import { bytesOf, displayName, encodeAttribute, NamedPaths, type TreeNode } from '../../format/index.ts';
import { HoldfastError, systemCode } from '../../foundation/errors.ts';
import type { ExtendedAttribute } from '../../foundation/extended-attributes.ts';
import type { FileStatus } from '../../foundation/file-status.ts';
import {
  type FileOutcome,
  LARGE_FILE_BYTES,
  type ReadFile,
  type SnapshotWriter,
  type StoredFile,
} from '../../repository/index.ts';
import { type Capture, type CaptureContext, MANIFEST_DIRECTORY, type Problem } from '../index.ts';
import { everythingAt, type Stale } from './changes.ts';
import { Entries } from './entries.ts';
import { changedWhileRead, errorOfEntry } from './entry-errors.ts';
import { isForOneThread, isPart, type Known, type Later, NOTHING } from './known-directory.ts';
import { type ReadLargeFile, readLargeFile } from './large-file.ts';
import { type Listing, listDirectory, NO_FILES } from './listing.ts';
import { attributesAt, isSameDirectory, isUnchanged, nodeOf, unlessSame } from './node-of.ts';
import { presentPaths } from './present-paths.ts';
import { PreviousTrees } from './previous-trees.ts';
import { EVERYTHING, type Selection, selectionOf } from './selection.ts';
import type { Tally } from './tally.ts';

const UNNAMED_HINT =
  'Write `--only` with a name (`*.pdf`), the end of a path (`2026/*.pdf`) or a whole path from `/` on. What `exclude` leaves out is not there either.';

/** An entry on its way into its directory. */
interface Entry {
  path: string;
  name: string;
  into: Entries;
  /** What it was in the previous snapshot; undefined where it was not there, or `later`. */
  before: TreeNode | undefined;
  /** What the directory that it is in was, where it is compared with that as a whole. */
  later: Later | undefined;
  /** What was told to have changed may be gone; what was listed was there a moment ago. */
  mayBeGone: boolean;
}

export interface FileCaptureOptions {
  isExcluded: (path: string) => boolean;
  /** What changed since the previous snapshot, all else being as it is there, and what counts that. */
  changed?: { stale: Stale; tally: Tally };
}

/**
 * Captures directories and files with everything below them, one after the other, in the order of their names. Where it is
 * known what changed since the previous snapshot nothing else is looked at.
 */
export class FileCapture {
  readonly problems: Problem[] = [];
  readonly counts: Capture['counts'] = { filesNew: 0, filesChanged: 0, filesUnmodified: 0, dirs: 0, bytesProcessed: 0 };
  /** The places of the problems. */
  readonly again: string[] = [];
  readonly #writer: SnapshotWriter;
  readonly #context: CaptureContext;
  readonly #options: FileCaptureOptions;
  readonly #wanted: NamedPaths | undefined;
  /** What turned out not to be a small file is looked at one after the other. */
  #lookingAgain: Promise<void> = Promise.resolve();

  constructor(writer: SnapshotWriter, context: CaptureContext, options: FileCaptureOptions) {
    this.#writer = writer;
    this.#context = context;
    this.#options = options;
    this.#wanted = context.selection && new NamedPaths(context.selection.only);
  }

  /**
   * @param paths absolute, as text
   * @returns the entries of the root directory that lead to them
   * @throws path-missing when none of the paths is there, or what is wanted of them is not; repository-damaged where what did
   *   not change cannot be taken over
   */
  async capture(paths: readonly string[]): Promise<TreeNode[]> {
    const { present, problems } = presentPaths(paths);
    this.problems.push(...problems);
    const root = selectionOf(present);
    const { previous } = this.#context;
    const before = await this.#before(previous?.tree, new PreviousTrees(previous, []));
    const entries = await this.#entries('', root, { before, stale: this.#options.changed?.stale });
    const nodes = await entries.all();
    // It may have come while the last files were read.
    this.#context.signal.throwIfAborted();
    this.#wanted?.refuseUnused(paths, UNNAMED_HINT);
    const left = this.#options.changed?.tally.left;
    this.counts.filesUnmodified += left?.files ?? 0;
    this.counts.dirs += left?.directories ?? 0;
    this.counts.bytesProcessed += left?.bytes ?? 0;
    return nodes;
  }

  /** Where everything is looked at, what cannot be read of the previous snapshot only means that more is read again. */
  async #before(tree: string | undefined, previous: PreviousTrees): Promise<Map<string, TreeNode> | undefined> {
    if (this.#options.changed === undefined || tree === undefined) return previous.entries(tree);
    return new Map((await this.#context.previous!.entries(tree)).map((node) => [node.name, node]));
  }

  /**
   * Looks at all entries of a directory. Some of them may still be on their way when that is over.
   * @param path a byte string, `` for the root
   */
  async #entries(path: string, selection: Selection, known: Known): Promise<Entries> {
    const { before, stale } = known;
    const { names, files } = this.#names(path, selection, known);
    // What leads to a path of the plan is looked at each time: who watches heeds no more of it than its name.
    const isInside = (name: string): boolean => selection.all || selection.children.get(name)!.all;
    const isKept = (name: string): boolean =>
      isPart(known) && isInside(name) && before!.has(name) && !stale!.children.has(name);
    const subtrees = names.flatMap((name) => (isKept(name) ? [] : (before?.get(name)?.subtree ?? [])));
    const previous = new PreviousTrees(this.#context.previous, subtrees);
    const seen = new Set<string>();
    const into = new Entries();
    for (const name of names) {
      this.#context.signal.throwIfAborted();
      const place = `${path}/${name}`;
      // What the plan names, and what leads to it, no pattern takes away.
      if (selection.all && this.#options.isExcluded(place)) continue;
      const inside = this.#inside(selection, name, place);
      seen.add(name);
      if (isKept(name)) {
        into.add(before!.get(name));
        continue;
      }
      const mayBeGone = selection.all && isPart(known);
      const entry = { path: place, name, into, before: before?.get(name), later: known.later, mayBeGone };
      this.#options.changed?.tally.looksAnew(entry.before);
      try {
        const isRead = files.has(name) && inside.isWanted && this.#isReadAnyhow(entry.before);
        const staleInside = isPart(known) ? (stale!.children.get(name) ?? NOTHING) : undefined;
        // To wait for what is there already would take longer than what is done with a file that did not change.
        const room = isRead ? this.#read(entry, false) : this.#lookAt(entry, inside, staleInside, previous);
        if (room !== undefined) await room;
      } catch (error) {
        this.#recordUnlessGone(entry, error);
        await this.#options.changed?.tally.dropsBelow(entry.before);
      }
    }
    await this.#countGone(path, before, seen);
    return into;
  }

  /** Whether a file is read whatever its times are, by who asks for these as well. Of a large one more is to be known. */
  #isReadAnyhow(before: TreeNode | undefined): boolean {
    if (before?.type !== 'file') return before === undefined;
    return this.#context.readAll === true && (before.size ?? 0) < LARGE_FILE_BYTES;
  }

  #inside(selection: Selection, name: string, path: string): Selection {
    const inside = selection.all ? selection : selection.children.get(name)!;
    // Also asked where it is wanted already: each pattern has to name something.
    const isNamed = this.#wanted?.has(path) ?? true;
    return inside.isWanted || !(selection.isWanted || isNamed) ? inside : { ...inside, isWanted: true };
  }

  /** What is to be looked at in a directory, and what of it is known to be regular files. */
  #names(path: string, selection: Selection, known: Known): Listing {
    const { names, files } = selection.all
      ? this.#allNames(path, known)
      : { names: [...selection.children.keys()].sort(), files: NO_FILES };
    if (path !== '' || !names.includes(MANIFEST_DIRECTORY)) return { names, files };
    this.problems.push({
      item: `/${MANIFEST_DIRECTORY}`,
      error: new HoldfastError('source-unsupported', "was not backed up: in a snapshot this place is the manifest's"),
    });
    return { names: names.filter((name) => name !== MANIFEST_DIRECTORY), files };
  }

  /** In the root, the previous snapshot has what is not of the files. */
  #allNames(path: string, known: Known): Listing {
    if (path === '' || !isPart(known)) return known.listing ?? this.#list(path);
    return { names: [...new Set([...known.before!.keys(), ...known.stale!.children.keys()])].sort(), files: NO_FILES };
  }

  async #countGone(path: string, before: Map<string, TreeNode> | undefined, seen: ReadonlySet<string>): Promise<void> {
    const { changed } = this.#options;
    if (changed === undefined) return;
    for (const [name, node] of before ?? []) {
      if (!seen.has(name) && `${path}/${name}` !== `/${MANIFEST_DIRECTORY}`) await changed.tally.drops(node);
    }
  }

  /**
   * Looks at one entry, which comes when everything in it is stored.
   * @returns where it is there, what is to be waited for before the next one
   */
  #lookAt(
    entry: Entry,
    selection: Selection,
    stale: Stale | undefined,
    previous: PreviousTrees,
  ): Promise<void> | undefined {
    const { path, name, into, before } = entry;
    const bytes = bytesOf(path);
    // What leads to a path of the plan may be a link; what it leads to is meant, and that is in a directory of this name.
    const stats = (selection.all ? lstatSync : statSync)(bytes, { bigint: true });
    if (!selection.isWanted && !stats.isDirectory()) return undefined;
    const node = nodeOf(name, bytes, stats);
    // A file that did not change has the attributes that it had: setting one changes its ctime.
    if (node.type === 'file' && this.#isKept(node, stats, before)) {
      into.add(this.#keptFile(node, before!));
      return undefined;
    }
    if (node.type === 'file' && stats.size < LARGE_FILE_BYTES) {
      return this.#afterDropping(before, () => this.#read(entry, true));
    }
    this.#addAttributes(node, path, attributesAt(bytes));
    if (node.type === 'dir') return this.#directory(entry, node, selection, stale, previous);
    return this.#afterDropping(before, () => {
      if (node.type === 'file') return this.#readLarge(entry, node, stats);
      into.add(unlessSame(node, before));
      return undefined;
    });
  }

  /** Goes on when it is counted that what was below a directory of the previous snapshot is not there any more. */
  #afterDropping(before: TreeNode | undefined, goOn: () => Promise<void> | undefined): Promise<void> | undefined {
    const dropped = this.#options.changed?.tally.dropsBelow(before);
    return dropped === undefined ? goOn() : dropped.then(goOn);
  }

  async #directory(
    entry: Entry,
    node: TreeNode,
    selection: Selection,
    stale: Stale | undefined,
    previous: PreviousTrees,
  ): Promise<void> {
    const { path, into, before } = entry;
    const known = await this.#known(entry, node, selection, stale, previous);
    if (this.#canBeReadTogether(path, selection, known)) return this.#readTogether(entry, node, selection, known);
    const entries = await this.#entries(path, selection, known);
    into.expect();
    this.#comes(entry, node, this.#saved(entries, selection, known, before?.subtree));
  }

  /**
   * Where all of a directory is read whatever it was, and there are only files in it, it is compared as a whole: to look at
   * each of its entries in the previous snapshot takes longer than to make its tree anew, which tells whether any is another
   * one.
   */
  async #known(
    { path, before }: Entry,
    node: TreeNode,
    selection: Selection,
    stale: Stale | undefined,
    previous: PreviousTrees,
  ): Promise<Known> {
    const tree = before?.subtree;
    const isAllRead = this.#context.readAll === true && this.#options.changed === undefined && selection.all;
    const listing = isAllRead ? this.#list(path) : undefined;
    if (tree !== undefined && listing !== undefined && listing.files.size === listing.names.length) {
      previous.passOver(tree);
      const entries = () => new PreviousTrees(this.#context.previous, []).entries(tree);
      return { before: undefined, stale: undefined, listing, later: { tree, entries } };
    }
    const stillStale = isSameDirectory(node, before) ? stale : undefined;
    return { before: await this.#before(tree, previous), stale: stillStale, listing };
  }

  /** Whether all of its files are wanted, and one thread is to read them: see `isForOneThread`. */
  #canBeReadTogether(path: string, selection: Selection, known: Known): boolean {
    if (!isForOneThread(known) || !selection.isWanted || this.#wanted !== undefined) return false;
    const { listing, later } = known;
    return (
      !listing!.names.some((name) => this.#options.isExcluded(`${path}/${name}`)) && this.#writer.holdsTree(later!.tree)
    );
  }

  /** Has all files of a directory read by one thread, which tells of each only where the directory is not what it was. */
  #readTogether(directory: Entry, node: TreeNode, selection: Selection, known: Known): Promise<void> {
    const { path, into, before } = directory;
    const { names } = known.listing!;
    const later = known.later!;
    const entries = new Entries(names.length);
    into.expect();
    let isToBeSaved = true;
    return this.#writer.readFilesOf(
      { path, names, tree: later.tree },
      {
        onSame: (bytes) => {
          this.counts.dirs++;
          this.counts.filesUnmodified += names.length;
          this.counts.bytesProcessed += bytes;
          this.#context.progress.advance({ bytes, items: names.length });
          into.came(unlessSame({ ...node, subtree: later.tree }, before));
        },
        onDone: (name, outcome) => {
          if (isToBeSaved) this.#comes(directory, node, this.#saved(entries, selection, known, later.tree));
          isToBeSaved = false;
          const entry = { path: `${path}/${name}`, name, into: entries, before: undefined, later, mayBeGone: false };
          this.#wasRead(entry, outcome, false);
        },
      },
    );
  }

  /** Adds a directory, which is expected, once its tree is saved. */
  #comes({ into, before }: Entry, node: TreeNode, saved: Promise<string | undefined>): void {
    saved.then(
      (subtree) => into.came(subtree === undefined ? undefined : unlessSame({ ...node, subtree }, before)),
      (error: unknown) => into.failed(error),
    );
  }

  /** The tree comes as undefined where nothing in the directory is wanted. */
  async #saved(
    entries: Entries,
    selection: Selection,
    { before, later }: Known,
    tree: string | undefined,
  ): Promise<string | undefined> {
    const nodes = await entries.all();
    if (nodes.length === 0 && !selection.isWanted) return undefined;
    this.counts.dirs++;
    if (later === undefined) return this.#keptTree(nodes, before, tree) ?? this.#writer.saveTree(nodes);
    const saved = await this.#writer.saveTree(nodes);
    await this.#countAll(nodes, saved, later);
    return saved;
  }

  /** Counts the files of a directory that is compared as a whole. */
  async #countAll(nodes: readonly TreeNode[], saved: string, later: Later): Promise<void> {
    const files = nodes.filter(({ type }) => type === 'file');
    if (saved === later.tree) this.counts.filesUnmodified += files.length;
    else {
      const before = await later.entries();
      for (const file of files) {
        const known = before?.get(file.name);
        this.#count(unlessSame(file, known), known);
      }
    }
  }

  /** @param file the node of the previous snapshot itself where nothing changed */
  #count(file: TreeNode, before: TreeNode | undefined): void {
    this.counts[before === undefined ? 'filesNew' : file === before ? 'filesUnmodified' : 'filesChanged']++;
  }

  /** The tree of the previous snapshot where these are its entries and the repository has it: then it need not be made again. */
  #keptTree(
    entries: readonly TreeNode[],
    before: Map<string, TreeNode> | undefined,
    tree: string | undefined,
  ): string | undefined {
    if (tree === undefined || before?.size !== entries.length) return undefined;
    const isSame = entries.every((entry) => entry === before.get(entry.name));
    return isSame && this.#writer.holdsTree(tree) ? tree : undefined;
  }

  /** Whether a file's content need not be read: it is what it was, and the repository has it. */
  #isKept(node: TreeNode, stats: BigIntStats, before: TreeNode | undefined): boolean {
    if (this.#context.readAll === true) return false;
    if (before?.content == null || !isUnchanged(node, before) || !this.#writer.holds(before.content)) return false;
    if (this.#options.changed === undefined) return true;
    // It was told to have changed: within a tick of the system's clock, neither times nor size need show it.
    return stats.ctimeMs < BigInt(Math.floor(this.#context.previous!.timeMs)) - TICK_MS;
  }

  #keptFile(node: TreeNode, before: TreeNode): TreeNode {
    this.counts.filesUnmodified++;
    this.counts.bytesProcessed += Number(node.size);
    this.#context.progress.advance({ bytes: Number(node.size), items: 1 });
    if (before.extended_attributes !== undefined) node.extended_attributes = before.extended_attributes;
    node.content = before.content;
    return unlessSame(node, before);
  }

  /** @param attributes or why they could not be read */
  #addAttributes(node: TreeNode, path: string, attributes: readonly ExtendedAttribute[] | Error): void {
    if (attributes instanceof Error) {
      this.#recordProblem(path, attributes);
      // Else the next backup would take the file for unchanged, and its attributes for none.
      delete node.ctime;
    } else if (attributes.length > 0) node.extended_attributes = attributes.map(encodeAttribute);
  }

  /**
   * Has a file read by another thread, which leaves alone what is large or no file.
   * @param wasLookedAt it was a file when it was looked at
   */
  #read(entry: Entry, wasLookedAt: boolean): Promise<void> | undefined {
    entry.into.expect();
    return this.#writer.readFile(bytesOf(entry.path), (outcome) => this.#wasRead(entry, outcome, wasLookedAt));
  }

  #wasRead(entry: Entry, outcome: FileOutcome, wasLookedAt: boolean): void {
    try {
      if (outcome.kind === 'read') entry.into.came(this.#wasReadWhole(entry, outcome.file));
      else this.#wasNotRead(entry, outcome, wasLookedAt);
    } catch (error) {
      entry.into.failed(error);
    }
  }

  #wasReadWhole(entry: Entry, file: ReadFile): TreeNode {
    const node = nodeOf(entry.name, NO_PATH, file.status);
    this.#addAttributes(node, entry.path, file.attributes);
    this.#context.progress.advance({ bytes: file.sizeBytes });
    return this.#nodeOfRead(entry, node, file, file.hasChanged);
  }

  #wasNotRead(entry: Entry, outcome: Exclude<FileOutcome, { kind: 'read' }>, wasLookedAt: boolean): void {
    if (outcome.kind === 'large' || (outcome.kind === 'other' && !wasLookedAt)) {
      this.#lookingAgain = this.#lookingAgain.then(() => this.#lookAgain(entry));
      return;
    }
    this.#recordUnlessGone(entry, outcome.kind === 'failed' ? outcome.error : changedWhileRead());
    entry.into.came(undefined);
  }

  /** Takes the place of what another thread left alone. */
  async #lookAgain(found: Entry): Promise<void> {
    const entry = { ...found };
    try {
      entry.before ??= (await entry.later?.entries())?.get(entry.name);
      await this.#lookAt(entry, EVERYTHING, undefined, new PreviousTrees(this.#context.previous, []));
      entry.into.came(undefined);
    } catch (error) {
      try {
        this.#recordUnlessGone(entry, error);
        entry.into.came(undefined);
      } catch (fatal) {
        entry.into.failed(fatal);
      }
    }
  }

  /** Resolves when all of it is on its way. */
  async #readLarge(entry: Entry, node: TreeNode, seen: FileStatus): Promise<void> {
    const { path, into, before } = entry;
    const { read } = await readLargeFile(bytesOf(path), {
      writer: this.#writer,
      seen,
      before: before?.content ?? undefined,
      onRead: (bytes) => this.#context.progress.advance({ bytes }),
    });
    into.expect();
    this.#wasReadInParts(entry, node, read).then(
      (file) => into.came(file),
      (error: unknown) => into.failed(error),
    );
  }

  /** The node comes as undefined where the file turned out not to be readable. */
  async #wasReadInParts(entry: Entry, node: TreeNode, read: Promise<ReadLargeFile>): Promise<TreeNode | undefined> {
    try {
      const file = await read;
      return this.#nodeOfRead(entry, node, file, file.hasChanged);
    } catch (error) {
      this.#recordProblem(entry.path, error);
      return undefined;
    }
  }

  #nodeOfRead(
    { path, before, later }: Entry,
    node: TreeNode,
    { content, sizeBytes }: StoredFile,
    changedMeanwhile: boolean,
  ): TreeNode {
    node.size = sizeBytes;
    node.content = content;
    const read = unlessSame(node, before);
    this.counts.bytesProcessed += sizeBytes;
    this.#context.progress.advance({ items: 1 });
    if (later === undefined) this.#count(read, before);
    if (changedMeanwhile) this.#recordProblem(path, changedWhileRead());
    return read;
  }

  #list(path: string): Listing {
    try {
      return listDirectory(bytesOf(path === '' ? '/' : path));
    } catch (error) {
      this.#recordProblem(path, error);
      return { names: [], files: NO_FILES };
    }
  }

  /** What was told to have changed may be gone by now. */
  #recordUnlessGone({ path, mayBeGone }: Entry, error: unknown): void {
    if (!mayBeGone || systemCode(error) !== 'ENOENT') this.#recordProblem(path, error);
  }

  /** What concerns one entry makes the backup partial; what concerns the repository ends it. */
  #recordProblem(path: string, error: unknown): void {
    const item = displayName(path);
    this.again.push(everythingAt(path));
    this.problems.push({ item, error: errorOfEntry(error) });
  }
}

/** A regular file's node needs no path. */
const NO_PATH = Buffer.alloc(0);

/** No system's clock, by which files are stamped, ticks more rarely. */
const TICK_MS = 1000n;
