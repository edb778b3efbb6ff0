import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, statSync } from 'node:fs';
import {
  byteStringOfText,
  bytesOf,
  displayName,
  encodeAttribute,
  NamedPaths,
  type TreeNode,
} from '../../format/index.ts';
import { HoldfastError, isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { readAttributes } from '../../foundation/extended-attributes.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { ReadFile, SnapshotWriter, StoredFile } from '../../repository/index.ts';
import { type Capture, type CaptureContext, MANIFEST_DIRECTORY, type Problem } from '../index.ts';
import { everythingAt, type Stale } from './changes.ts';
import { nodeOf, unlessSame } from './node-of.ts';
import { PreviousTrees } from './previous-trees.ts';
import { type Selection, selectionOf } from './selection.ts';
import type { Tally } from './tally.ts';

const UNNAMED_HINT =
  'Write `--only` with a name (`*.pdf`), the end of a path (`2026/*.pdf`) or a whole path from `/` on. What `exclude` leaves out is not there either.';

/**
 * Something on its way: reading it is over, and its node comes when everything in it is stored. It is wrapped, since an
 * async function that returned the promise itself would wait for it.
 */
interface Coming<T> {
  coming: Promise<T> | T;
  /** To be waited for before the next entry is looked at. */
  room?: Promise<void> | undefined;
}

/** An entry that is found, and its node of the previous snapshot, where it has one. */
interface FoundEntry {
  path: string;
  bytes: Buffer;
  node: TreeNode;
  stats: BigIntStats;
  before: TreeNode | undefined;
}

/** What is known of an entry, or of what is in a directory, before it is looked at. */
interface Known<Before> {
  /** What the previous snapshot has; undefined where it has nothing. */
  before: Before | undefined;
  /** What is to be looked at anew; everything, where it is not known. */
  stale: Stale | undefined;
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
    const root = selectionOf(this.#present(paths));
    const { previous } = this.#context;
    const before = await this.#before(previous?.tree, new PreviousTrees(previous, []));
    const nodes = await present(await this.#entries('', root, { before, stale: this.#options.changed?.stale }));
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

  #present(paths: readonly string[]): string[] {
    const missing = paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) === undefined);
    const errors = missing.map(
      (path) =>
        new HoldfastError('path-missing', `${path} does not exist`, {
          hint: 'Correct the path in the plan, or mount what should be there.',
          context: { path },
        }),
    );
    if (missing.length === paths.length) throw errors[0]!;
    for (const error of errors) this.problems.push({ item: String(error.context['path']), error });
    const present = paths.filter((path) => !missing.includes(path));
    for (const path of present) if (lstatSync(path).isSymbolicLink()) this.#recordLink(path);
    return present;
  }

  /** A link alone is hardly what somebody wants to protect. */
  #recordLink(path: string): void {
    const error = new HoldfastError('source-unsupported', 'is a symbolic link: what it leads to was not backed up', {
      hint: 'Name the place that the link leads to in the plan.',
    });
    this.problems.push({ item: displayName(byteStringOfText(path)), error });
  }

  /** @param path a byte string, `` for the root */
  async #entries(path: string, selection: Selection, known: Known<Map<string, TreeNode>>): Promise<Nodes> {
    const { before, stale } = known;
    const names = this.#names(path, selection, known);
    // What leads to a path of the plan is looked at each time: who watches heeds no more of it than its name.
    const isInside = (name: string): boolean => selection.all || selection.children.get(name)!.all;
    const isKept = (name: string): boolean =>
      isPart(known) && isInside(name) && before!.has(name) && !stale!.children.has(name);
    const subtrees = names.flatMap((name) => (isKept(name) ? [] : (before?.get(name)?.subtree ?? [])));
    const previous = new PreviousTrees(this.#context.previous, subtrees);
    const seen = new Set<string>();
    const nodes: Nodes = [];
    for (const name of names) {
      this.#context.signal.throwIfAborted();
      const entry = `${path}/${name}`;
      // What the plan names, and what leads to it, no pattern takes away.
      if (selection.all && this.#options.isExcluded(entry)) continue;
      const inside = this.#inside(selection, name, entry);
      seen.add(name);
      if (isKept(name)) {
        nodes.push(before!.get(name));
        continue;
      }
      const own = {
        before: before?.get(name),
        stale: isPart(known) ? (stale!.children.get(name) ?? NOTHING) : undefined,
        // What was told to have changed may be gone; what was listed was there a moment ago.
        mayBeGone: selection.all && isPart(known),
      };
      this.#options.changed?.tally.looksAnew(own.before);
      try {
        // To wait for what is there already would take longer than what is done with a file that did not change.
        const begun = this.#entry(entry, name, inside, own, previous);
        const { coming, room } = begun instanceof Promise ? await begun : begun;
        nodes.push(coming instanceof Promise ? awaitedLater(coming) : coming);
        if (room !== undefined) await room;
      } catch (error) {
        if (!own.mayBeGone || systemCode(error) !== 'ENOENT') this.#recordProblem(entry, error);
        await this.#options.changed?.tally.dropsBelow(own.before);
      }
    }
    await this.#countGone(path, before, seen);
    return nodes;
  }

  #inside(selection: Selection, name: string, path: string): Selection {
    const inside = selection.all ? selection : selection.children.get(name)!;
    // Also asked where it is wanted already: each pattern has to name something.
    const isNamed = this.#wanted?.has(path) ?? true;
    return inside.isWanted || !(selection.isWanted || isNamed) ? inside : { ...inside, isWanted: true };
  }

  #names(path: string, selection: Selection, known: Known<Map<string, TreeNode>>): string[] {
    const names = selection.all ? this.#allNames(path, known) : [...selection.children.keys()].sort();
    if (path !== '' || !names.includes(MANIFEST_DIRECTORY)) return names;
    this.problems.push({
      item: `/${MANIFEST_DIRECTORY}`,
      error: new HoldfastError('source-unsupported', "was not backed up: in a snapshot this place is the manifest's"),
    });
    return names.filter((name) => name !== MANIFEST_DIRECTORY);
  }

  /** In the root, the previous snapshot has what is not of the files. */
  #allNames(path: string, known: Known<Map<string, TreeNode>>): string[] {
    if (path === '' || !isPart(known)) return this.#list(path);
    return [...new Set([...known.before!.keys(), ...known.stale!.children.keys()])].sort();
  }

  async #countGone(path: string, before: Map<string, TreeNode> | undefined, seen: ReadonlySet<string>): Promise<void> {
    const { changed } = this.#options;
    if (changed === undefined) return;
    for (const [name, node] of before ?? []) {
      if (!seen.has(name) && `${path}/${name}` !== `/${MANIFEST_DIRECTORY}`) await changed.tally.drops(node);
    }
  }

  /** Reads one entry; its node comes when everything in it is stored. */
  #entry(
    path: string,
    name: string,
    selection: Selection,
    known: Known<TreeNode> & { mayBeGone: boolean },
    previous: PreviousTrees,
  ): Coming<TreeNode | undefined> | Promise<Coming<TreeNode | undefined>> {
    const { before, mayBeGone } = known;
    const bytes = bytesOf(path);
    // What leads to a path of the plan may be a link; what it leads to is meant, and that is in a directory of this name.
    const stats = (selection.all ? lstatSync : statSync)(bytes, { bigint: true });
    if (!selection.isWanted && !stats.isDirectory()) return { coming: undefined };
    const node = nodeOf(name, bytes, stats);
    // A file that did not change has the attributes that it had: setting one changes its ctime.
    if (node.type === 'file' && this.#isKept(node, stats, before)) return this.#keptFile(node, before!);
    this.#addAttributes(node, bytes, path);
    const found = { path, bytes, node, stats, before };
    if (node.type === 'dir') return this.#directoryEntry(found, selection, known, previous);
    const dropped = this.#options.changed?.tally.dropsBelow(before);
    if (dropped === undefined) return this.#changedEntry(found, mayBeGone);
    return dropped.then(() => this.#changedEntry(found, mayBeGone));
  }

  async #directoryEntry(
    { path, node, before }: FoundEntry,
    selection: Selection,
    { stale }: Known<TreeNode>,
    previous: PreviousTrees,
  ): Promise<Coming<TreeNode | undefined>> {
    const known = {
      before: await this.#before(before?.subtree, previous),
      stale: isSameDirectory(node, before) ? stale : undefined,
    };
    const nodes = await this.#entries(path, selection, known);
    const saved = this.#directory(nodes, selection, { before: known.before, tree: before?.subtree });
    const coming = saved.then((subtree) =>
      subtree === undefined ? undefined : unlessSame({ ...node, subtree }, before),
    );
    return { coming };
  }

  /** Whatever is no directory, and may not be what it was. */
  #changedEntry(
    { path, bytes, node, stats, before }: FoundEntry,
    mayBeGone: boolean,
  ): Coming<TreeNode | undefined> | Promise<Coming<TreeNode | undefined>> {
    if (node.type !== 'file') return { coming: unlessSame(node, before) };
    // All that the system said of it would be kept for long otherwise.
    const { dev, ino, size, mtimeNs } = stats;
    const file = { path, node, seen: { dev, ino, size, mtimeNs }, before };
    if (stats.size >= LARGE_FILE_BYTES) return this.#largeFile(file);
    const limitBytes = Number(stats.size) + MAX_GROWTH_BYTES;
    const { stored, room } = this.#writer.readFile({ path: bytes, sizeBytes: Number(stats.size), limitBytes });
    return { coming: this.#readFile(file, stored, mayBeGone), room };
  }

  /** The tree comes as undefined where nothing in the directory is wanted. */
  async #directory(
    nodes: Nodes,
    selection: Selection,
    known: { before: Map<string, TreeNode> | undefined; tree: string | undefined },
  ): Promise<string | undefined> {
    const entries = await present(nodes);
    if (entries.length === 0 && !selection.isWanted) return undefined;
    this.counts.dirs++;
    return this.#keptTree(entries, known) ?? this.#writer.saveTree(entries);
  }

  /** The tree of the previous snapshot where these are its entries and the repository has it: then it need not be made again. */
  #keptTree(
    entries: readonly TreeNode[],
    { before, tree }: { before: Map<string, TreeNode> | undefined; tree: string | undefined },
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

  #keptFile(node: TreeNode, before: TreeNode): Coming<TreeNode> {
    this.counts.filesUnmodified++;
    this.counts.bytesProcessed += Number(node.size);
    this.#context.progress.advance({ bytes: Number(node.size), items: 1 });
    if (before.extended_attributes !== undefined) node.extended_attributes = before.extended_attributes;
    node.content = before.content;
    return { coming: unlessSame(node, before) };
  }

  #addAttributes(node: TreeNode, bytes: Buffer, path: string): void {
    try {
      const attributes = readAttributes(bytes);
      if (attributes.length > 0) node.extended_attributes = attributes.map(encodeAttribute);
    } catch (error) {
      this.#recordProblem(path, error);
      // Else the next backup would take the file for unchanged, and its attributes for none.
      delete node.ctime;
    }
  }

  /** The node comes as undefined where the file turned out not to be readable. */
  async #readFile(
    file: FoundFile,
    stored: Promise<ReadFile | undefined>,
    mayBeGone: boolean,
  ): Promise<TreeNode | undefined> {
    try {
      const read = await stored;
      if (read === undefined) throw changedWhileRead();
      this.#context.progress.advance({ bytes: read.sizeBytes });
      return this.#wasRead(file, read, read.after);
    } catch (error) {
      if (!mayBeGone || systemCode(error) !== 'ENOENT') this.#recordProblem(file.path, error);
      return undefined;
    }
  }

  /** Begins to read a large file, which stays open until that is over. */
  async #largeFile(file: FoundFile): Promise<Coming<TreeNode | undefined>> {
    const descriptor = openSync(bytesOf(file.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    let isReadLater = false;
    try {
      if (!fstatSync(descriptor).isFile()) throw changedWhileRead();
      const sizeBytes = Number(file.seen.size);
      const onRead = (bytes: number): void => this.#context.progress.advance({ bytes });
      const limits = { sizeBytes, limitBytes: sizeBytes + MAX_GROWTH_BYTES, before: file.before?.content ?? undefined };
      const { stored } = await this.#writer.writeInParts(descriptor, limits, onRead);
      isReadLater = true;
      return { coming: this.#readLargeFile(file, descriptor, stored) };
    } finally {
      if (!isReadLater) closeSync(descriptor);
    }
  }

  async #readLargeFile(
    file: FoundFile,
    descriptor: number,
    stored: Promise<StoredFile>,
  ): Promise<TreeNode | undefined> {
    try {
      const read = await stored;
      return this.#wasRead(file, read, fstatSync(descriptor, { bigint: true }));
    } catch (error) {
      this.#recordProblem(file.path, error);
      return undefined;
    } finally {
      closeSync(descriptor);
    }
  }

  #wasRead(
    { path, node, seen, before }: FoundFile,
    { content, sizeBytes }: StoredFile,
    after: ReadFile['after'],
  ): TreeNode {
    const read = unlessSame({ ...node, size: sizeBytes, content }, before);
    this.counts.bytesProcessed += sizeBytes;
    this.#context.progress.advance({ items: 1 });
    this.counts[before === undefined ? 'filesNew' : read === before ? 'filesUnmodified' : 'filesChanged']++;
    if (hasChanged(seen, after, sizeBytes)) this.#recordProblem(path, changedWhileRead());
    return read;
  }

  #list(path: string): string[] {
    try {
      // One character for each byte, which is what a byte string is.
      return readdirSync(path === '' ? '/' : bytesOf(path), { encoding: 'latin1' }).sort();
    } catch (error) {
      this.#recordProblem(path, error);
      return [];
    }
  }

  /** What concerns one entry makes the backup partial; what concerns the repository ends it. */
  #recordProblem(path: string, error: unknown): void {
    const item = displayName(path);
    this.again.push(everythingAt(path));
    if (isHoldfastError(error, 'source-lost')) {
      this.problems.push({ item, error });
      return;
    }
    const code = systemCode(error);
    const syscall = (error as { syscall?: unknown }).syscall;
    if (code === undefined || syscall === undefined || code === 'ENOSPC') throw error;
    const message = code === 'ENOENT' ? 'vanished while the backup was running' : `cannot be read: ${messageOf(error)}`;
    const kind = code === 'EACCES' || code === 'EPERM' ? 'permission-denied' : 'source-lost';
    this.problems.push({ item, error: new HoldfastError(kind, message, { cause: error }) });
  }
}

/** A file that is to be read. */
interface FoundFile {
  path: string;
  node: TreeNode;
  /** What the system said of it before it was read. */
  seen: ReadFile['after'];
  /** What it was in the previous snapshot. */
  before: TreeNode | undefined;
}

/** From this size on, several threads read a file, while this one goes on with the next. */
const LARGE_FILE_BYTES = 4n * 1024n * 1024n;

/** A file that grows while it is read is followed for so long: it might grow for ever. */
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;

/** No system's clock, by which files are stamped, ticks more rarely. */
const TICK_MS = 1000n;

/** Whether only a part of a directory is to be looked at. */
function isPart({ before, stale }: Known<Map<string, TreeNode>>): boolean {
  return before !== undefined && stale !== undefined && !stale.isWhole;
}

/** Another one may have taken its place: then nothing in it is as it was. */
function isSameDirectory(now: TreeNode, before: TreeNode | undefined): boolean {
  return before?.type === 'dir' && now.inode === before.inode && now.device_id === before.device_id;
}

/** The nodes of a directory, or promises of them; undefined for what is not captured. */
type Nodes = (Promise<TreeNode | undefined> | TreeNode | undefined)[];

async function present(nodes: Nodes): Promise<TreeNode[]> {
  const entries: TreeNode[] = [];
  for (const each of nodes) {
    const node = each instanceof Promise ? await each : each;
    if (node !== undefined) entries.push(node);
  }
  return entries;
}

const NOTHING: Stale = { isWhole: false, children: new Map() };

/** restic's rule: a file is read again unless type, size, times of change and inode are what they were. */
function isUnchanged(now: TreeNode, before: TreeNode): boolean {
  return (
    before.type === 'file' &&
    now.size === (before.size ?? 0) &&
    now.mtime === before.mtime &&
    now.ctime === before.ctime &&
    now.inode === before.inode
  );
}

function hasChanged(before: ReadFile['after'], after: ReadFile['after'], readBytes: number): boolean {
  return (
    before.ino !== after.ino ||
    before.dev !== after.dev ||
    after.size !== BigInt(readBytes) ||
    before.size !== after.size ||
    before.mtimeNs !== after.mtimeNs
  );
}

function changedWhileRead(): HoldfastError {
  return new HoldfastError(
    'source-lost',
    'changed while it was read: what was stored may be a mixture of before and after',
    {
      hint: 'Back up again when nobody writes to it, or take the backup from a snapshot of the file system.',
    },
  );
}
