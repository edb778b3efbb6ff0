import { byteString, bytesOf, displayName, NamedPaths, pathMatcher, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { IndexedRepository } from '../indexed.ts';
import type { ExtractOptions, SnapshotReader } from '../snapshot-io.ts';
import { type FileTable, FileTableBuilder } from './file-table.ts';
import { isLoss, LostContent, neededBy } from './lost-content.ts';
import { WantedBuilder } from './wanted.ts';

/** What a restore of a tree to a directory will make: everything is known before the first byte is written. */

export interface PlannedEntry {
  /** Absolute, as bytes. */
  path: Buffer;
  node: TreeNode;
}

export interface ExtractPlan {
  /** Parents before what is in them. */
  directories: PlannedEntry[];
  files: FileTable;
  /** Where the blobs of the files belong; the places of a file follow each other. */
  wanted: WantedBuilder;
  /** Links, devices, FIFOs and sockets. */
  others: PlannedEntry[];
  /** Further names of files: `existing` is the number of the first one. */
  hardLinks: { path: Buffer; existing: number }[];
  /** Plain bytes of all files. */
  bytes: number;
  /** Where only a part is wanted: which of its patterns have named something. */
  named: NamedPaths | undefined;
  /** What is not made, where that is asked for. */
  lost: LostContent;
}

/** Longer ones no system takes; Linux's limit, without the NUL. */
const MAX_PATH_BYTES = 4095;
/** A tree that names the same trees again and again is endless with few bytes. From this size on entries are counted first. */
const COUNTED_FROM = 200_000;
const MAX_ENTRIES = 100_000_000;
/** How many trees of a directory are read ahead. */
const TREES_AHEAD = 8;

type Choice = Pick<ExtractOptions, 'selection' | 'leaveOut' | 'leavesOutLost'>;

export type PlanSource = Pick<SnapshotReader, 'entries'> & { indexed: IndexedRepository };

/**
 * @throws repository-damaged; target-failed when it has more entries or longer paths than any system takes
 * @param target absolute path of the directory that takes the tree's entries
 */
export async function planExtract(
  reader: PlanSource,
  tree: string,
  target: Buffer,
  options: Choice,
): Promise<ExtractPlan> {
  const planning = new Planning(reader, tree, options);
  await planning.visit(await reader.entries(tree), target, '', options.selection?.only === undefined);
  return planning.finish();
}

class Planning {
  readonly #reader: PlanSource;
  readonly #tree: string;
  readonly #named: NamedPaths | undefined;
  readonly #isExcluded: (path: string) => boolean;
  readonly #files = new FileTableBuilder();
  readonly #wanted: WantedBuilder;
  readonly #directories: PlannedEntry[] = [];
  readonly #others: PlannedEntry[] = [];
  readonly #hardLinks: ExtractPlan['hardLinks'] = [];
  /** The first names of files that have several, by what makes two names one file. */
  readonly #firstNames = new Map<string, number>();
  readonly #leavesOutLost: boolean;
  readonly #lost = new LostContent();
  #bytes = 0;
  #isCounted = false;

  constructor(reader: PlanSource, tree: string, { selection = {}, leaveOut = [], leavesOutLost = false }: Choice) {
    this.#reader = reader;
    this.#tree = tree;
    this.#leavesOutLost = leavesOutLost;
    const excluded = pathMatcher(selection.exclude ?? []);
    this.#named = selection.only && new NamedPaths(selection.only);
    this.#isExcluded = (path) => leaveOut.includes(path) || excluded(path);
    this.#wanted = new WantedBuilder(reader.indexed);
  }

  finish(): ExtractPlan {
    const files = this.#files.finish();
    for (const file of this.#lost.files) files.setLeftAlone(file);
    return {
      directories: this.#directories,
      files,
      wanted: this.#wanted,
      others: this.#others,
      hardLinks: this.#hardLinks,
      bytes: this.#bytes,
      named: this.#named,
      lost: this.#lost,
    };
  }

  /**
   * @param prefix the directory's path in the snapshot, a byte string, `` for the root
   * @param isWanted whether everything in it is; else only what `only` names
   * @returns whether anything in it is
   */
  async visit(nodes: TreeNode[], directory: Buffer, prefix: string, isWanted: boolean): Promise<boolean> {
    await this.#refuseEndless();
    const kept = nodes.flatMap((node) => this.#choose(node, `${prefix}/${node.name}`, isWanted));
    const subtrees = this.#readAhead(kept.filter(({ node }) => node.type === 'dir').map(({ node }) => node));
    let wantedAny = false;
    let number: number | undefined;
    for (const { node, name, isNamed } of kept) {
      const path = join(directory, node.name);
      if (node.type === 'dir') {
        const index = this.#directories.push({ path, node }) - 1;
        const inside = await this.visit(await this.#orLost(subtrees.next(), path), path, name, isNamed);
        if (inside || isNamed) wantedAny = true;
        else this.#directories.length = index;
      } else if (isNamed) {
        number ??= this.#files.addDirectory(directory);
        this.#add(node, path, number);
        wantedAny = true;
      }
    }
    return wantedAny;
  }

  /** Nothing, where neither the entry is wanted nor anything that may be in it. */
  #choose(node: TreeNode, name: string, isWanted: boolean): { node: TreeNode; name: string; isNamed: boolean }[] {
    if (this.#isExcluded(name)) return [];
    const isNamed = this.#isNamed(name, isWanted);
    const isLookedInto = node.type === 'dir' && this.#named?.mayNameBelow(name) === true;
    return isNamed || isLookedInto ? [{ node, name, isNamed }] : [];
  }

  #isNamed(path: string, isWanted: boolean): boolean {
    // What lies in something that is wanted may be what another pattern names.
    const isAsked = this.#named !== undefined && !(isWanted && this.#named.areAllUsed);
    return (isAsked && this.#named.has(path)) || isWanted;
  }

  #add(node: TreeNode, path: Buffer, directory: number): void {
    if (node.type !== 'file') {
      this.#others.push({ path, node });
      return;
    }
    const hasNames = Number(node.links ?? 1) > 1;
    const identity = hasNames ? `${node.device_id}:${node.inode}:${node.content?.join()}` : undefined;
    const existing = identity === undefined ? undefined : this.#firstNames.get(identity);
    if (existing !== undefined) {
      this.#hardLinks.push({ path, existing });
      return;
    }
    const file = this.#files.add(directory, node);
    if (identity !== undefined) this.#firstNames.set(identity, file);
    this.#addContent(node, file, path);
  }

  #addContent(node: TreeNode, file: number, path: Buffer): void {
    let position = 0;
    const first = this.#wanted.count;
    try {
      for (const id of node.content ?? []) position += this.#wanted.add(id, file, position);
    } catch (error) {
      if (!this.#leavesOutLost || !isLoss(error)) throw neededBy(path, error);
      this.#wanted.leaveOut(first);
      this.#lost.addFile(file, error);
      return;
    }
    if (position !== Number(node.size ?? 0)) {
      throw new HoldfastError(
        'repository-damaged',
        `${displayName(byteString(path))} should have ${node.size ?? 0} bytes, its blobs have ${position}`,
      );
    }
    this.#bytes += position;
  }

  /** What is in a directory; nothing, where the repository has lost that, and goes on without. */
  async #orLost(entries: Promise<TreeNode[]>, path: Buffer): Promise<TreeNode[]> {
    try {
      return await entries;
    } catch (error) {
      if (!this.#leavesOutLost || !isLoss(error)) throw error;
      this.#lost.addDirectory(path, error);
      return [];
    }
  }

  /** The entries of directories in order, several of them read at the same time. */
  #readAhead(directories: readonly TreeNode[]): { next(): Promise<TreeNode[]> } {
    const ahead: Promise<TreeNode[]>[] = [];
    let begun = 0;
    return {
      next: () => {
        while (begun < directories.length && ahead.length < TREES_AHEAD) {
          const { subtree } = directories[begun++]!;
          ahead.push(subtree === undefined ? Promise.resolve([]) : awaitedLater(this.#reader.entries(subtree)));
        }
        return ahead.shift()!;
      },
    };
  }

  async #refuseEndless(): Promise<void> {
    const entries = this.#files.count + this.#directories.length + this.#others.length;
    if (this.#isCounted || entries < COUNTED_FROM) return;
    this.#isCounted = true;
    // What is lost is found out again when its turn comes.
    const orNone = (error: unknown): TreeNode[] => {
      if (this.#leavesOutLost && isLoss(error)) return [];
      throw error;
    };
    const readable = { entries: (tree: string) => this.#reader.entries(tree).catch(orNone) };
    if ((await countEntries(readable, this.#tree, new Map())) <= MAX_ENTRIES) return;
    throw new HoldfastError('target-failed', `the snapshot has more than ${MAX_ENTRIES} entries`);
  }
}

/** How many entries a tree has with all below it; each distinct tree is read once. */
async function countEntries(
  reader: Pick<SnapshotReader, 'entries'>,
  tree: string,
  known: Map<string, number>,
): Promise<number> {
  const before = known.get(tree);
  if (before !== undefined) return before;
  let count = 0;
  for (const { subtree } of await reader.entries(tree)) {
    count += 1 + (subtree === undefined ? 0 : await countEntries(reader, subtree, known));
  }
  known.set(tree, count);
  return count;
}

function join(directory: Buffer, name: string): Buffer {
  const path = Buffer.concat([directory, Buffer.from('/'), bytesOf(name)]);
  if (path.length <= MAX_PATH_BYTES) return path;
  throw new HoldfastError('target-failed', `a path of ${path.length} bytes is too long to be restored`, {
    hint: 'Restore to a target with a shorter path, or only a part of the snapshot.',
    context: { path: displayName(byteString(path.subarray(0, 200))) },
  });
}
