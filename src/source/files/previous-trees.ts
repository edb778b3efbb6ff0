import type { TreeNode } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { SnapshotReader } from '../../repository/index.ts';

/** How many trees of a directory are read ahead. */
const AHEAD = 8;

/** What the previous snapshot says of the directories in one directory, read before it is needed. */
export class PreviousTrees {
  readonly #reader: Pick<SnapshotReader, 'entries'> | undefined;
  readonly #trees: string[];
  readonly #coming = new Map<string, Promise<Map<string, TreeNode> | undefined>>();
  #begun = 0;

  /** @param trees in the order in which they will be asked for or passed over, or most of them */
  constructor(reader: Pick<SnapshotReader, 'entries'> | undefined, trees: string[]) {
    this.#reader = reader;
    this.#trees = trees;
  }

  /** The entries of a tree by name; undefined where there was no such directory, or it cannot be read. */
  entries(tree: string | undefined): Promise<Map<string, TreeNode> | undefined> {
    while (this.#begun < this.#trees.length && this.#coming.size < AHEAD) {
      const next = this.#trees[this.#begun++]!;
      this.#coming.set(next, awaitedLater(this.#read(next)));
    }
    const coming = tree === undefined ? undefined : this.#coming.get(tree);
    if (coming === undefined) return this.#read(tree);
    this.#coming.delete(tree!);
    return coming;
  }

  /** For a directory that nobody will ask for: the next ones are read ahead in its place. */
  passOver(tree: string): void {
    if (!this.#coming.delete(tree) && this.#trees[this.#begun] === tree) this.#begun++;
  }

  /** Entries that cannot be read only mean that everything is read again. */
  async #read(tree: string | undefined): Promise<Map<string, TreeNode> | undefined> {
    if (tree === undefined || this.#reader === undefined) return undefined;
    try {
      return new Map((await this.#reader.entries(tree)).map((node) => [node.name, node]));
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return undefined;
    }
  }
}
