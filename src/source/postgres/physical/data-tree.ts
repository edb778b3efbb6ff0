import { formatTimeMs, goMode, type TreeNode } from '../../../format/index.ts';
import { awaitedLater } from '../../../foundation/promises.ts';
import type { SnapshotWriter } from '../../../repository/index.ts';
import { damaged, type TarEntry } from './tar-header.ts';

const DIRECTORY_BITS = 0o040000;
const LINK_BITS = 0o120000;

/** Who has a file, with which permissions, since when. */
export type Attributes = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'modifiedSeconds'>;

interface Directory {
  node: TreeNode;
  children: Map<string, Directory | Promise<TreeNode>>;
}

/** The directories and files of a cluster, collected in the order in which they come, and stored as trees at the end. */
export class DataTree {
  /** Of the whole. */
  readonly attributes: Attributes;
  readonly #root: Directory;

  constructor(name: string, attributes: Attributes) {
    this.attributes = attributes;
    this.#root = { node: directoryNode(name, attributes), children: new Map() };
  }

  addDirectory(path: string, attributes: Attributes): void {
    const { parent, name } = this.#place(path);
    const existing = parent.children.get(name);
    if (existing instanceof Promise) throw damaged('a directory has the name of a file', path);
    // One may come after what is in it.
    if (existing === undefined)
      parent.children.set(name, { node: directoryNode(name, attributes), children: new Map() });
    else existing.node = directoryNode(name, attributes);
  }

  addLink(path: string, target: string, attributes: Attributes): void {
    const { parent, name } = this.#newPlace(path);
    const node: TreeNode = { ...commonOf(name, attributes, LINK_BITS), type: 'symlink', linktarget: target };
    parent.children.set(name, Promise.resolve({ ...node, links: 1 }));
  }

  /** @param stored resolves when the content is held by the repository; its failure is met in `save` */
  addFile(path: string, attributes: Attributes, stored: Promise<{ content: string[]; sizeBytes: number }>): void {
    const { parent, name } = this.#newPlace(path);
    const node: TreeNode = { ...commonOf(name, attributes, 0), type: 'file', links: 1 };
    const coming = stored.then(({ content, sizeBytes }) => ({ ...node, size: sizeBytes, content }));
    parent.children.set(name, awaitedLater(coming));
  }

  has(path: string): boolean {
    let directory: Directory | undefined = this.#root;
    const parts = path.split('/');
    for (const part of parts.slice(0, -1)) {
      const next: Directory | Promise<TreeNode> | undefined = directory?.children.get(part);
      directory = next instanceof Promise ? undefined : next;
    }
    return directory?.children.has(parts.at(-1)!) === true;
  }

  /** The node of the whole, with its trees stored. */
  async save(writer: SnapshotWriter): Promise<{ node: TreeNode; directories: number; files: number }> {
    const counts = { directories: 0, files: 0 };
    const node = await saveDirectory(this.#root, writer, counts);
    return { node, ...counts };
  }

  #newPlace(path: string): { parent: Directory; name: string } {
    const place = this.#place(path);
    if (place.parent.children.has(place.name)) throw damaged('an entry comes twice', path);
    return place;
  }

  #place(path: string): { parent: Directory; name: string } {
    const parts = path.split('/');
    let parent = this.#root;
    for (const part of parts.slice(0, -1)) {
      let next = parent.children.get(part);
      if (next instanceof Promise) throw damaged('a file is taken for a directory', path);
      if (next === undefined) {
        next = { node: { ...this.#root.node, name: part }, children: new Map() };
        parent.children.set(part, next);
      }
      parent = next;
    }
    return { parent, name: parts.at(-1)! };
  }
}

async function saveDirectory(
  { node, children }: Directory,
  writer: SnapshotWriter,
  counts: { directories: number; files: number },
): Promise<TreeNode> {
  counts.directories++;
  const nodes: TreeNode[] = [];
  for (const child of children.values()) {
    if (!(child instanceof Promise)) nodes.push(await saveDirectory(child, writer, counts));
    else {
      nodes.push(await child);
      counts.files++;
    }
  }
  return { ...node, subtree: await writer.saveTree(nodes) };
}

function directoryNode(name: string, attributes: Attributes): TreeNode {
  return { ...commonOf(name, attributes, DIRECTORY_BITS), type: 'dir' };
}

function commonOf(name: string, { mode, uid, gid, modifiedSeconds }: Attributes, typeBits: number): TreeNode {
  const time = formatTimeMs(modifiedSeconds * 1000);
  const times = { mtime: time, atime: time, ctime: time };
  return { name, type: 'file', mode: goMode(typeBits + mode), ...times, uid, gid, content: null };
}
