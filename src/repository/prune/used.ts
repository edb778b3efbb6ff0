import { type BlobType, decodeTree } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { BlobTable } from '../blob-table.ts';
import type { IndexedRepository } from '../indexed.ts';
import type { StoredSnapshot } from '../snapshots.ts';

const PARALLEL_READS = 8;
/** As many trees are held at once. */
const BATCH = 64;

/** The blobs that snapshots need. It grows by what is walked, and forgets nothing. */
export class UsedBlobs {
  /** One for each walk that found something: a table does not grow. */
  readonly #tables: BlobTable[] = [];

  has(id: Uint8Array, type: BlobType): boolean {
    return this.#tables.some((table) => table.has(id, type));
  }

  /**
   * Adds all that these snapshots need, reading each tree that is not known yet.
   * @throws repository-damaged when a blob is in no pack that the index knows, or a tree cannot be read
   */
  async add(
    indexed: IndexedRepository,
    snapshots: readonly StoredSnapshot[],
    { signal, progress }: { signal: AbortSignal; progress: Progress },
  ): Promise<void> {
    const table = BlobTable.withCapacity(indexed.table.count);
    const add = (id: string, type: BlobType): boolean => {
      const bytes = Buffer.from(id, 'hex');
      if (table.has(bytes, type) || this.has(bytes, type)) return false;
      if (!indexed.table.has(bytes, type)) throw missing(id, type);
      table.add(bytes, 0, { type, offset: 0, length: 0 });
      return true;
    };
    // A list of what is to be done, and no recursion: a tree may be deeper than any stack.
    const waiting = snapshots.map(({ tree }) => tree).filter((tree) => add(tree, 'tree'));
    while (waiting.length > 0) {
      signal.throwIfAborted();
      const batch = waiting.splice(-BATCH);
      const trees = await sideBySide(batch, PARALLEL_READS, (tree) => indexed.readBlob(tree, 'tree'));
      for (const node of trees.flatMap((tree) => decodeTree(tree))) {
        for (const id of node.content ?? []) add(id, 'data');
        if (node.subtree !== undefined && add(node.subtree, 'tree')) waiting.push(node.subtree);
      }
      progress.advance({ items: batch.length });
    }
    if (table.count > 0) this.#tables.push(table);
  }
}

function missing(id: string, type: BlobType): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `a snapshot needs the ${type} blob ${id}, which is in no pack that the index knows: nothing is pruned`,
    {
      hint: 'Run `holdfast check` to see which snapshots and paths this concerns.',
      context: { blob: id },
    },
  );
}
