import type { IndexFile } from '../../format/index.ts';
import { DATA_PREFIX, idOfKey, packKey } from '../layout.ts';
import { readIndexByKey } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { listSnapshots, type StoredSnapshot } from '../snapshots.ts';

/** What a repository holds, as a prune sees it while others write. */
export interface Stock {
  snapshots: StoredSnapshot[];
  /** By key. */
  index: Map<string, IndexFile>;
  /** The packs of the index, each once. */
  packs: IndexFile['packs'];
  /** The packs that are in the store, with their sizes in bytes. */
  sizes: Map<string, number>;
}

/**
 * Looks at everything in an order in which a writer at work (packs, index, snapshot) is never half seen: what a snapshot
 * needs is in the index, what the index names is in the store, and a pack that no index names was there before all of that.
 * @throws repository-damaged when a snapshot or an index file cannot be read
 */
export async function takeStock(repository: Repository): Promise<Stock> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of repository.store.list(DATA_PREFIX)) {
    const id = idOfKey(key);
    if (id !== undefined) sizes.set(id, sizeBytes);
  }
  const snapshots = await listSnapshots(repository);
  const index = await readIndexByKey(repository);
  const packs = [
    ...new Map([...index.values()].flatMap((file) => file.packs.map((pack) => [pack.id, pack] as const))).values(),
  ];
  for (const { id } of packs) {
    const late = sizes.has(id) ? undefined : await repository.store.stat(packKey(id));
    if (late !== undefined) sizes.set(id, late.sizeBytes);
  }
  return { snapshots, index, packs, sizes };
}
