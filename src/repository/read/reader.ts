import { decodeTree, snapshotTimeMs, type TreeNode } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { giveBackLargeBuffers } from '../../foundation/posix.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { planExtract } from '../extract/plan.ts';
import type { IndexedRepository } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { Extracted, ExtractOptions, Selection, SnapshotReader } from '../snapshot-io.ts';
import type { StoredSnapshot } from '../snapshots.ts';
import { BlobOpener } from './blob-opener.ts';
import { ReadPool } from './pool.ts';

/** How many plain bytes are read ahead of whoever consumes a file. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;

/** Reads one snapshot. `close` ends its threads. */
export class Reader implements SnapshotReader {
  readonly indexed: IndexedRepository;
  readonly snapshot: StoredSnapshot;
  readonly pool: ReadPool;
  #opener: BlobOpener | undefined;
  /** What was written and has its mark still. */
  readonly #marked: { target: string; tree: string }[] = [];

  constructor(indexed: IndexedRepository, snapshot: StoredSnapshot) {
    this.indexed = indexed;
    this.snapshot = snapshot;
    this.pool = new ReadPool(indexed.repository.key);
  }

  get id(): string {
    return this.snapshot.id;
  }

  get tree(): string {
    return this.snapshot.tree;
  }

  get timeMs(): number {
    return snapshotTimeMs(this.snapshot);
  }

  async close(): Promise<void> {
    await this.pool.close();
  }

  async entries(tree: string): Promise<TreeNode[]> {
    const { packNumber, pack, offset, length, uncompressedLength = 0 } = this.indexed.locate(tree, 'tree');
    this.#opener ??= new BlobOpener(this.indexed.repository.key);
    const opener = this.#opener;
    return this.indexed.repository.read(
      packKey(pack),
      (sealed) => {
        const nodes = decodeTree(opener.open(sealed, { id: Buffer.from(tree, 'hex'), uncompressedLength, pack }));
        releaseBuffer(sealed);
        return nodes;
      },
      { offset, length },
      this.indexed.useOf(tree, 'tree', packNumber),
    );
  }

  async find(path: string): Promise<TreeNode | undefined> {
    let node: TreeNode = { name: '', type: 'dir', content: null, subtree: this.snapshot.tree };
    for (const part of path.split('/').filter((name) => name !== '')) {
      if (node.subtree === undefined) return undefined;
      const next = (await this.entries(node.subtree)).find(({ name }) => name === part);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  async *read(node: TreeNode): AsyncIterable<Uint8Array> {
    giveBackLargeBuffers();
    const ids = node.content ?? [];
    const ahead: { bytes: number; plain: Promise<Uint8Array> }[] = [];
    let aheadBytes = 0;
    let next = 0;
    const fill = (): void => {
      while (next < ids.length && (ahead.length === 0 || aheadBytes < READ_AHEAD_BYTES)) {
        const blob = this.#open(ids[next++]!);
        ahead.push(blob);
        aheadBytes += blob.bytes;
      }
    };
    for (fill(); ahead.length > 0; fill()) {
      const { bytes, plain } = ahead.shift()!;
      yield await plain;
      aheadBytes -= bytes;
    }
  }

  async readWhole(node: TreeNode, limitBytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const id of node.content ?? []) {
      bytes += this.plainLength(id);
      if (bytes > limitBytes) {
        throw new HoldfastError('repository-damaged', `a file that should be small has more than ${limitBytes} bytes`);
      }
      parts.push(await this.indexed.readBlob(id, 'data'));
    }
    return Buffer.concat(parts);
  }

  plainLength(id: string): number {
    return this.indexed.plainLength(id);
  }

  async extract(target: string, options: ExtractOptions): Promise<Extracted> {
    // Who only looks into a snapshot loads none of it.
    const { extractTree } = await import('../extract/extract.ts');
    const { tree = this.tree, keepsMark = false } = options;
    const extracted = await extractTree(this, tree, target, options);
    if (keepsMark && options.dryRun !== true) this.#marked.push({ target, tree });
    return extracted;
  }

  async release(): Promise<void> {
    if (this.#marked.length === 0) return;
    const { releaseTarget } = await import('../extract/extract.ts');
    for (const { target, tree } of this.#marked.splice(0)) releaseTarget(target, tree);
  }

  /**
   * The packs that the content of files lies in, by id, told by the trees alone: nothing of them is read.
   * @param selection as `extract` takes it
   */
  async contentPacks(selection?: Selection): Promise<string[]> {
    const part = selection === undefined ? {} : { selection };
    const { wanted } = await planExtract(this, this.tree, Buffer.from('/'), { ...part, leavesOutLost: true });
    return [...wanted.packNumbers].map((number) => this.indexed.packIds[number]!);
  }

  #open(id: string): { bytes: number; plain: Promise<Uint8Array> } {
    const { pack, offset, length, uncompressedLength } = this.indexed.locate(id, 'data');
    const plain = this.indexed.repository.read(
      packKey(pack),
      (sealed) => this.pool.open(pack, sealed, { id, uncompressedLength }),
      { offset, length },
    );
    return { bytes: uncompressedLength ?? length, plain: awaitedLater(plain) };
  }
}
