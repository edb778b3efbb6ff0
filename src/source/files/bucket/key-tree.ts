import type { TreeNode } from '../../../format/index.ts';
import { awaitedLater } from '../../../foundation/promises.ts';
import type { SnapshotReader, SnapshotWriter } from '../../../repository/index.ts';
import { PreviousTrees } from '../previous-trees.ts';

/** A node on its way; undefined where its object turned out not to be there, or not to be readable. */
type ComingNode = Promise<TreeNode | undefined>;

interface Level {
  name: string;
  nodes: Map<string, ComingNode>;
  /** What the previous snapshot has in the same directory. */
  before: Map<string, TreeNode>;
}

/** No bucket has directories: they are all alike. */
const NEVER = '1970-01-01T00:00:00Z';
const DIRECTORY_MODE = 2 ** 31 + 0o755;

function directoryNode(name: string, subtree: string): TreeNode {
  const times = { mtime: NEVER, atime: NEVER, ctime: NEVER };
  return { name, type: 'dir', mode: DIRECTORY_MODE, ...times, content: null, subtree };
}

/**
 * Makes directories of keys that come in the order of their bytes. A directory is stored as soon as a key comes that is not
 * in it.
 */
export class KeyTree {
  readonly #writer: SnapshotWriter;
  readonly #previous: SnapshotReader | undefined;
  readonly #levels: Level[];
  directories = 0;

  private constructor(writer: SnapshotWriter, previous: SnapshotReader | undefined, root: Level) {
    this.#writer = writer;
    this.#previous = previous;
    this.#levels = [root];
  }

  /** @param name of the directory in the snapshot's root */
  static async begin(writer: SnapshotWriter, previous: SnapshotReader | undefined, name: string): Promise<KeyTree> {
    const node = await previous?.find(`/${name}`);
    return new KeyTree(writer, previous, { name, nodes: new Map(), before: await entries(previous, node?.subtree) });
  }

  /**
   * Goes to the directory that a key is in.
   * @param parts of the key, byte strings
   * @returns an object that has the name of a directory which is entered, and has to go elsewhere, with its key as a byte string
   */
  async enter(parts: readonly string[]): Promise<{ node: ComingNode; key: string } | undefined> {
    const directories = parts.slice(0, -1);
    const isIn = (level: Level, depth: number): boolean => level.name === directories[depth - 1];
    let common = 1;
    while (common < this.#levels.length && common <= directories.length && isIn(this.#levels[common]!, common))
      common++;
    while (this.#levels.length > common) this.#leave();
    let displaced: { node: ComingNode; key: string } | undefined;
    for (const name of directories.slice(this.#levels.length - 1)) {
      const { nodes, before } = this.#levels.at(-1)!;
      const node = nodes.get(name);
      if (node !== undefined) displaced = { node, key: directories.slice(0, this.#levels.length).join('/') };
      nodes.delete(name);
      this.#levels.push({ name, nodes: new Map(), before: await entries(this.#previous, before.get(name)?.subtree) });
    }
    return displaced;
  }

  get isEmpty(): boolean {
    return this.#levels.length === 1 && this.#levels[0]!.nodes.size === 0;
  }

  /** What the previous snapshot has by this name, in the directory that was entered. */
  before(name: string): TreeNode | undefined {
    return this.#levels.at(-1)!.before.get(name);
  }

  add(name: string, node: ComingNode): void {
    this.#levels.at(-1)!.nodes.set(name, awaitedLater(node));
  }

  /** Resolves when all of it is stored. */
  async finish(): Promise<TreeNode> {
    while (this.#levels.length > 1) this.#leave();
    return this.#store(this.#levels[0]!);
  }

  #leave(): void {
    const level = this.#levels.pop()!;
    this.#levels.at(-1)!.nodes.set(level.name, awaitedLater(this.#store(level)));
  }

  async #store({ name, nodes }: Level): Promise<TreeNode> {
    this.directories++;
    const present = (await Promise.all(nodes.values())).filter((node) => node !== undefined);
    return directoryNode(name, await this.#writer.saveTree(present));
  }
}

async function entries(previous: SnapshotReader | undefined, tree: string | undefined): Promise<Map<string, TreeNode>> {
  return (await new PreviousTrees(previous, []).entries(tree)) ?? new Map();
}
