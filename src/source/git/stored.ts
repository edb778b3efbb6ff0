import { closeSync, openSync } from 'node:fs';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTimeMs, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { SnapshotReader, SnapshotWriter, StoredFile } from '../../repository/index.ts';
import type { Capture, CaptureContext } from '../index.ts';
import type { Mirror } from './mirror.ts';
import { parseHead, parseRefLines, type RefState } from './refs.ts';

/** Where the repository lies in a snapshot. */
export const DATA = 'data';
/** The name of what stock git would not miss: files that say nothing of the repository. */
const LEFT_OUT = new Set(['description', 'hooks', 'info', 'branches', 'logs', 'config.worktree']);
const LARGE_FILE_BYTES = 4 * 1024 * 1024;
const LARGEST_REFS_BYTES = 1024 * 1024 * 1024;
const DIRECTORY_MODE = 2 ** 31 + 0o700;

/** What a snapshot's repository names. @throws repository-damaged */
export async function storedState(reader: SnapshotReader): Promise<RefState> {
  const text = async (name: string): Promise<string> => {
    const node = await reader.find(`/${DATA}/${name}`);
    if (node === undefined) throw notThere(reader, name);
    return (await reader.readWhole(node, LARGEST_REFS_BYTES)).toString('latin1');
  };
  return { head: parseHead(await text('HEAD')), refs: parseRefLines(await text('packed-refs')) };
}

/** The tree of a directory of the snapshot's repository. @throws repository-damaged */
export async function storedTree(reader: SnapshotReader, path: string): Promise<string> {
  const subtree = (await reader.find(path))?.subtree;
  if (subtree === undefined) throw notThere(reader, path);
  return subtree;
}

function notThere(reader: SnapshotReader, what: string): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `snapshot ${reader.id.slice(0, 8)} has no git repository: ${what} is missing`,
  );
}

/** Brings what a snapshot has into a mirror that has nothing, so that it need not be transferred again. @throws repository-damaged, disk-full */
export async function seed(
  mirror: Mirror,
  reader: SnapshotReader,
  { progress, signal }: Pick<CaptureContext, 'progress' | 'signal'>,
): Promise<void> {
  const objects = join(mirror.directory, 'objects');
  await rm(objects, { recursive: true });
  await reader.extract(objects, { progress, signal, tree: await storedTree(reader, `/${DATA}/objects`) });
  const shallow = await reader.find(`/${DATA}/shallow`);
  if (shallow !== undefined)
    await writeFile(join(mirror.directory, 'shallow'), await reader.readWhole(shallow, LARGEST_REFS_BYTES));
  await mirror.setRefs(await storedState(reader));
}

/** Whether two files of a repository with the same name and size are the same: git names them after what is in them. */
const NAMED_BY_CONTENT = /^pack-[0-9a-f]+\.(?:pack|idx|rev)$/;

/** Writes a bare repository into a snapshot. What the previous one has already is not read again. */
export class RepositoryWriter {
  readonly counts: Capture['counts'] = { filesNew: 0, filesChanged: 0, filesUnmodified: 0, dirs: 0, bytesProcessed: 0 };
  readonly #writer: SnapshotWriter;
  readonly #context: Pick<CaptureContext, 'progress' | 'signal' | 'previous'>;
  readonly #time: Pick<TreeNode, 'mtime' | 'atime' | 'ctime'>;

  constructor(
    writer: SnapshotWriter,
    context: Pick<CaptureContext, 'progress' | 'signal' | 'previous'>,
    timeMs: number,
  ) {
    this.#writer = writer;
    this.#context = context;
    const time = formatTimeMs(timeMs);
    this.#time = { mtime: time, atime: time, ctime: time };
  }

  /** @returns the node of the repository, for the snapshot's root */
  async store(directory: string): Promise<TreeNode> {
    return this.#directory(DATA, directory, `/${DATA}`);
  }

  /**
   * Takes over what the previous snapshot has, without reading it.
   * @returns undefined where the repository no longer holds all of it
   */
  async keep(previous: SnapshotReader): Promise<TreeNode | undefined> {
    const node = await previous.find(`/${DATA}`);
    return node === undefined ? undefined : this.#keep(previous, node);
  }

  async #keep(previous: SnapshotReader, node: TreeNode): Promise<TreeNode | undefined> {
    this.#context.signal.throwIfAborted();
    if (node.subtree === undefined) return this.#kept(node);
    const nodes: TreeNode[] = [];
    for (const entry of await previous.entries(node.subtree)) {
      const kept = await this.#keep(previous, entry);
      if (kept === undefined) return undefined;
      nodes.push(kept);
    }
    this.counts.dirs++;
    return { ...node, subtree: await this.#writer.saveTree(nodes) };
  }

  #kept(node: TreeNode): TreeNode | undefined {
    if (!this.#writer.holds(node.content ?? [])) return undefined;
    this.counts.filesUnmodified++;
    this.counts.bytesProcessed += Number(node.size ?? 0);
    this.#context.progress.advance({ bytes: Number(node.size ?? 0), items: 1 });
    return node;
  }

  async #directory(name: string, path: string, inSnapshot: string): Promise<TreeNode> {
    this.#context.signal.throwIfAborted();
    const before = await this.#before(inSnapshot);
    const nodes: TreeNode[] = [];
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (inSnapshot === `/${DATA}` && LEFT_OUT.has(entry.name)) continue;
      const inside = join(path, entry.name);
      nodes.push(
        entry.isDirectory()
          ? await this.#directory(entry.name, inside, `${inSnapshot}/${entry.name}`)
          : await this.#file(entry.name, inside, before.get(entry.name)),
      );
    }
    this.counts.dirs++;
    const subtree = await this.#writer.saveTree(nodes);
    return { name, type: 'dir', mode: DIRECTORY_MODE, ...this.#time, content: null, subtree };
  }

  async #before(inSnapshot: string): Promise<Map<string, TreeNode>> {
    const { previous } = this.#context;
    const subtree = (await previous?.find(inSnapshot))?.subtree;
    if (previous === undefined || subtree === undefined) return new Map();
    return new Map((await previous.entries(subtree)).map((node) => [node.name, node]));
  }

  async #file(name: string, path: string, before: TreeNode | undefined): Promise<TreeNode> {
    const { size } = await stat(path);
    if (before?.type === 'file' && before.size === size && NAMED_BY_CONTENT.test(name)) {
      const kept = this.#kept(before);
      if (kept !== undefined) return kept;
    }
    const { content, sizeBytes } = await this.#write(path, size);
    this.counts[before === undefined ? 'filesNew' : 'filesChanged']++;
    this.counts.bytesProcessed += sizeBytes;
    const mode = NAMED_BY_CONTENT.test(name) ? 0o400 : 0o600;
    return { name, type: 'file', mode, ...this.#time, size: sizeBytes, content };
  }

  async #write(path: string, size: number): Promise<StoredFile> {
    const { progress } = this.#context;
    const descriptor = openSync(path, 'r');
    try {
      if (size >= LARGE_FILE_BYTES) {
        const onRead = (bytes: number): void => progress.advance({ bytes });
        return await (await this.#writer.writeInParts(descriptor, { sizeBytes: size, limitBytes: size }, onRead))
          .stored;
      }
      const { sizeBytes, stored } = await this.#writer.writeFrom(descriptor);
      progress.advance({ bytes: sizeBytes, items: 1 });
      return await stored;
    } finally {
      closeSync(descriptor);
    }
  }
}
