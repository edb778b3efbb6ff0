import { byteStringOfText, displayName } from '../../format/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { type ItemCount, readManifest } from '../index.ts';

interface Sum {
  files: number;
  bytes: number;
}

/** How many files directories of snapshots have. A tree that several snapshots share is read once. */
export class TreeCounts {
  readonly #sums = new Map<string, Promise<Sum>>();

  /** The paths that were captured, and the directories in them; or one path. */
  async of(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    if (item !== undefined) return this.#at(reader, byteStringOfText(item));
    const { paths } = (await readManifest(reader)).details as { paths: string[] };
    const counts: ItemCount[] = [];
    for (const path of paths.map(byteStringOfText)) {
      const node = await reader.find(path);
      counts.push(...(await this.#at(reader, path)));
      if (node?.subtree === undefined) continue;
      for (const { name, type } of await reader.entries(node.subtree)) {
        if (type !== 'dir') continue;
        const inside = await this.#at(reader, `${path}/${name}`);
        counts.push(...inside.map((each) => ({ ...each, within: displayName(path) })));
      }
    }
    return counts;
  }

  async #at(reader: SnapshotReader, path: string): Promise<ItemCount[]> {
    const node = await reader.find(path);
    if (node === undefined) return [];
    const own = { files: 1, bytes: Number(node.size ?? 0) };
    const { files, bytes } = node.subtree === undefined ? own : await this.#sum(reader, node.subtree);
    return [{ item: displayName(path), count: files, unit: 'files', bytes }];
  }

  #sum(reader: SnapshotReader, tree: string): Promise<Sum> {
    const known = this.#sums.get(tree) ?? this.#add(reader, tree);
    this.#sums.set(tree, known);
    return known;
  }

  async #add(reader: SnapshotReader, tree: string): Promise<Sum> {
    const sum = { files: 0, bytes: 0 };
    for (const { type, size, subtree } of await reader.entries(tree)) {
      const inside = subtree === undefined ? { files: type === 'dir' ? 0 : 1, bytes: Number(size ?? 0) } : undefined;
      const { files, bytes } = inside ?? (await this.#sum(reader, subtree!));
      sum.files += files;
      sum.bytes += bytes;
    }
    return sum;
  }
}
