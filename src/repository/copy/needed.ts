import { decodeTree } from '../../format/index.ts';
import type { BlobLocation } from '../blob-table.ts';
import type { IndexedRepository } from '../indexed.ts';

/** A blob that is to be copied, and where it lies. */
export type NeededBlob = BlobLocation & { id: string; pack: string };

/**
 * Finds what snapshots need and a repository does not have to stay. Every tree is walked, also those that are there already: a copy
 * that was interrupted may have stored a tree, and not what is below it.
 */
export class NeededBlobs {
  readonly #source: IndexedRepository;
  readonly #target: IndexedRepository;
  readonly #walked = new Set<string>();
  /** Found before, by `type id`: it is on its way, or there. */
  readonly #found = new Set<string>();

  constructor(source: IndexedRepository, target: IndexedRepository) {
    this.#source = source;
    this.#target = target;
  }

  /** What is needed below a tree and was not found before. @throws repository-damaged when it is not whole in the source */
  async below(root: string, signal: AbortSignal): Promise<NeededBlob[]> {
    const needed: NeededBlob[] = [];
    const waiting = [root];
    for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
      if (this.#walked.has(tree)) continue;
      signal.throwIfAborted();
      const nodes = decodeTree(await this.#source.readBlob(tree, 'tree'));
      this.#walked.add(tree);
      this.#find(tree, 'tree', needed);
      for (const { content, subtree } of nodes) {
        for (const id of content ?? []) this.#find(id, 'data', needed);
        if (subtree !== undefined) waiting.push(subtree);
      }
    }
    return needed;
  }

  #find(id: string, type: NeededBlob['type'], needed: NeededBlob[]): void {
    const name = `${type} ${id}`;
    if (this.#found.has(name)) return;
    this.#found.add(name);
    // What a prune has marked there may go while the copy runs.
    if (!this.#target.lasting.has(Buffer.from(id, 'hex'), type)) needed.push({ ...this.#source.locate(id, type), id });
  }
}
