import { decodeTree, displayName, type TreeNode } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { IndexedRepository } from '../indexed.ts';
import { SNAPSHOTS_PREFIX } from '../layout.ts';
import { readSnapshot } from '../snapshots.ts';
import type { Lost } from './lost.ts';
import { addError, type CheckReport } from './report.ts';

/** Reads every snapshot, and every tree that one reaches, once. */
export async function checkSnapshots(
  indexed: IndexedRepository,
  lost: Lost,
  report: CheckReport,
  progress: Progress,
): Promise<void> {
  const keys = await indexed.repository.documentKeys(SNAPSHOTS_PREFIX);
  progress.phase('checking snapshots', { items: keys.length });
  const walk = new TreeWalk(indexed, lost, report);
  for (const key of keys) {
    try {
      const snapshot = await readSnapshot(indexed.repository, key);
      report.snapshots++;
      await walk.check(snapshot.id, snapshot.tree);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      addError(report, key, error.message);
    }
    progress.advance({ items: 1 });
  }
}

/** Walks trees, each once: what is in a tree that several snapshots share is reported with the first. */
class TreeWalk {
  readonly #indexed: IndexedRepository;
  readonly #lost: Lost;
  readonly #report: CheckReport;
  readonly #seen = new Set<string>();

  constructor(indexed: IndexedRepository, lost: Lost, report: CheckReport) {
    this.#indexed = indexed;
    this.#lost = lost;
    this.#report = report;
  }

  async check(snapshot: string, root: string): Promise<void> {
    // A list of what is to be done, and no recursion: a tree may be deeper than any stack.
    const waiting: { tree: string; path: string }[] = [{ tree: root, path: '' }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (this.#seen.has(next.tree)) continue;
      this.#seen.add(next.tree);
      const { path } = next;
      for (const node of await this.#entries(snapshot, next.tree, path)) {
        this.#checkContent(snapshot, node, path);
        if (node.subtree !== undefined) waiting.push({ tree: node.subtree, path: `${path}/${node.name}` });
      }
    }
  }

  async #entries(snapshot: string, tree: string, path: string): Promise<TreeNode[]> {
    try {
      return decodeTree(await this.#indexed.readBlob(tree, 'tree'));
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#addError(snapshot, path, `the directory cannot be read: ${error.message}`);
      return [];
    }
  }

  #checkContent(snapshot: string, node: TreeNode, path: string): void {
    const reasons = (node.content ?? []).flatMap((id) => {
      const reason = this.#lost.reason(id, 'data');
      return reason === undefined ? [] : [`${id} ${reason}`];
    });
    if (reasons.length > 0) {
      const more = reasons.length > 1 ? `, and ${reasons.length - 1} more of its blobs are lost` : '';
      this.#addError(snapshot, `${path}/${node.name}`, `blob ${reasons[0]}${more}`);
      return;
    }
    const bytes = (node.content ?? []).reduce((sum, id) => sum + this.#indexed.plainLength(id), 0);
    if (node.type === 'file' && bytes !== Number(node.size ?? 0)) {
      this.#addError(snapshot, `${path}/${node.name}`, `should have ${node.size ?? 0} bytes, its blobs have ${bytes}`);
    }
  }

  #addError(snapshot: string, path: string, message: string): void {
    addError(this.#report, `snapshot ${snapshot.slice(0, 8)} ${displayName(path) || '/'}`, message);
  }
}
