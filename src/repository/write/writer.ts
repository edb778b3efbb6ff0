import { encodeTree, gearTable, type TreeNode } from '../../format/index.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import type { BlobTable } from '../blob-table.ts';
import type { FileStream, SnapshotWriter, StoredFile } from '../snapshot-io.ts';
import { Lane } from './lane.ts';
import type { Pipeline } from './pipeline.ts';
import { SLAB_BYTES, type Slab, Slabs } from './slabs.ts';

/** One lane reads files, one slab collects trees; the other lanes are for streams. */
const STREAMS = Slabs.maxLanes - 2;

/** Writes files and trees through a pipeline. */
export class Writer implements SnapshotWriter {
  readonly maxStreams = STREAMS;
  readonly #pipeline: Pipeline;
  readonly #table: BlobTable;
  readonly #gear: Int32Array;
  readonly #fileLane: Lane;
  readonly #idleLanes: Lane[] = [];
  readonly #laneTakers: ((lane: Lane) => void)[] = [];
  #treeSlab: Slab | undefined;
  #treePosition = 0;
  /** Trees go into their slab one after the other. */
  #treeTurn: Promise<unknown> = Promise.resolve();

  constructor(pipeline: Pipeline, table: BlobTable, chunkerPolynomial: string) {
    this.#pipeline = pipeline;
    this.#table = table;
    this.#gear = gearTable(chunkerPolynomial);
    this.#fileLane = new Lane(pipeline, this.#gear);
    for (let index = 0; index < STREAMS; index++) this.#idleLanes.push(new Lane(pipeline, this.#gear));
  }

  async openFile(cut: 'content' | number = 'content'): Promise<FileStream> {
    const lane = this.#idleLanes.pop() ?? (await new Promise<Lane>((resolve) => this.#laneTakers.push(resolve)));
    lane.beginFile(cut);
    return new LaneStream(lane, () => this.#giveBack(lane));
  }

  async writeFrom(
    fileDescriptor: number,
    limitBytes?: number,
  ): Promise<{ sizeBytes: number; stored: Promise<StoredFile> }> {
    this.#fileLane.beginFile('content');
    try {
      await this.#fileLane.readFrom(fileDescriptor, limitBytes);
    } catch (error) {
      this.#fileLane.dropFile();
      throw error;
    }
    return this.#fileLane.endFile();
  }

  holds(content: readonly string[]): boolean {
    return content.every((id) => this.#table.has(Buffer.from(id, 'hex'), 'data'));
  }

  async saveTree(nodes: TreeNode[]): Promise<string> {
    const bytes = encodeTree(nodes);
    if (bytes.length > SLAB_BYTES) return this.#pipeline.storeHere(bytes, 'tree');
    const turn = this.#treeTurn.then(() => this.#submitTree(bytes));
    // A failed turn fails its own caller; the next one begins all the same, and meets the pipeline's failure itself.
    this.#treeTurn = settled(turn);
    return (await turn).id;
  }

  async #submitTree(bytes: Buffer): Promise<{ id: Promise<string> }> {
    if (this.#treeSlab === undefined || this.#treePosition + bytes.length > SLAB_BYTES) {
      const fresh = await this.#pipeline.slabs.take();
      this.#treeSlab?.release();
      this.#treeSlab = fresh;
      this.#treePosition = 0;
    }
    this.#treeSlab.bytes.set(bytes, this.#treePosition);
    const start = this.#treePosition;
    this.#treePosition += bytes.length;
    return this.#pipeline.submit(this.#treeSlab, start, bytes.length, 'tree');
  }

  #giveBack(lane: Lane): void {
    lane.rest();
    const taker = this.#laneTakers.shift();
    if (taker === undefined) this.#idleLanes.push(lane);
    else taker(lane);
  }
}

class LaneStream implements FileStream {
  readonly #lane: Lane;
  readonly #onEnd: () => void;
  #ended = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(lane: Lane, onEnd: () => void) {
    this.#lane = lane;
    this.#onEnd = onEnd;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#writing = awaitedLater(this.#lane.write(bytes));
    return this.#writing;
  }

  async end(): Promise<StoredFile> {
    this.#ended = true;
    try {
      const { stored } = await this.#lane.endFile();
      return stored;
    } finally {
      this.#onEnd();
    }
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    const giveUp = (): void => {
      this.#lane.dropFile();
      this.#onEnd();
    };
    // A write that waits for room goes on in this lane, which must not be somebody else's by then.
    this.#writing.then(giveUp, giveUp);
  }
}
