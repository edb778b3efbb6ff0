import { decodeTree, type TreeNode } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { IndexedRepository } from '../indexed.ts';
import type { Lost } from './lost.ts';

/** What is wrong at a path (a byte string, absolute; empty for the root). */
export interface Damage {
  path: string;
  message: string;
}

/** What is wrong with a tree: with entries of its own (or itself, without a name), and in the trees below it. */
interface DamagedTree {
  own: { name: string | undefined; message: string }[];
  below: { name: string; tree: string }[];
}

interface Visit {
  tree: string;
  damage: DamagedTree;
  children: { name: string; tree: string }[];
  next: number;
}

/** Finds damage below trees. Each tree is read once, however many snapshots share it. */
export class DamagedTrees {
  readonly #indexed: IndexedRepository;
  readonly #lost: Lost;
  readonly #signal: AbortSignal;
  readonly #whole = new Set<string>();
  readonly #damaged = new Map<string, DamagedTree>();

  constructor(indexed: IndexedRepository, lost: Lost, signal: AbortSignal) {
    this.#indexed = indexed;
    this.#lost = lost;
    this.#signal = signal;
  }

  /** Looks at a tree and all below it. @throws the signal's reason */
  async look(root: string): Promise<void> {
    // A list of what is under way, and no recursion: a tree may be deeper than any stack.
    const visits: Visit[] = this.#isKnown(root) ? [] : [await this.#begin(root)];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      this.#signal.throwIfAborted();
      const child = visit.children[visit.next];
      if (child === undefined) {
        this.#end(visit);
        visits.pop();
      } else if (this.#isKnown(child.tree)) {
        if (this.#damaged.has(child.tree)) visit.damage.below.push(child);
        visit.next++;
      } else visits.push(await this.#begin(child.tree));
    }
  }

  /** What is wrong below a tree that was looked at. */
  *damagesBelow(root: string): Iterable<Damage> {
    const waiting = [{ tree: root, path: '' }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { path } = next;
      const damage = this.#damaged.get(next.tree);
      for (const { name, message } of damage?.own ?? []) {
        yield { path: name === undefined ? path : `${path}/${name}`, message };
      }
      waiting.push(...(damage?.below ?? []).map(({ name, tree }) => ({ tree, path: `${path}/${name}` })));
    }
  }

  #isKnown(tree: string): boolean {
    return this.#whole.has(tree) || this.#damaged.has(tree);
  }

  async #begin(tree: string): Promise<Visit> {
    const visit: Visit = { tree, damage: { own: [], below: [] }, children: [], next: 0 };
    try {
      for (const node of decodeTree(await this.#indexed.readBlob(tree, 'tree'))) {
        const message = this.#problemOf(node);
        if (message !== undefined) visit.damage.own.push({ name: node.name, message });
        if (node.subtree !== undefined) visit.children.push({ name: node.name, tree: node.subtree });
      }
      // It could be read by the index that there is, and by no other.
      const reason = this.#lost.reason(tree, 'tree');
      if (reason !== undefined)
        visit.damage.own.push({ name: undefined, message: `the directory's tree ${tree} ${reason}` });
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      visit.damage.own.push({ name: undefined, message: `the directory cannot be read: ${error.message}` });
    }
    return visit;
  }

  #end({ tree, damage }: Visit): void {
    if (damage.own.length === 0 && damage.below.length === 0) this.#whole.add(tree);
    else this.#damaged.set(tree, damage);
  }

  #problemOf(node: TreeNode): string | undefined {
    const content = node.content ?? [];
    const reasons = content.flatMap((id) => {
      const reason = this.#lost.reason(id, 'data');
      return reason === undefined ? [] : [`${id} ${reason}`];
    });
    if (reasons.length > 0) {
      const more = reasons.length > 1 ? `, and ${reasons.length - 1} more of its blobs are lost` : '';
      return `blob ${reasons[0]}${more}`;
    }
    const bytes = content.reduce((sum, id) => sum + this.#indexed.plainLength(id), 0);
    if (node.type !== 'file' || bytes === Number(node.size ?? 0)) return undefined;
    return `should have ${node.size ?? 0} bytes, its blobs have ${bytes}`;
  }
}
