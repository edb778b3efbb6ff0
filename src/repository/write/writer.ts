import { hash } from 'node:crypto';
import { encodeTree, ID_BYTES, type TreeNode } from '../../format/index.ts';
import { awaitedLater, reachesWhoeverAwaits, settled } from '../../foundation/promises.ts';
import type { BlobTable } from '../blob-table.ts';
import type {
  DirectoryOfFiles,
  FileOutcome,
  FileStream,
  FilesOfDirectory,
  LargeFile,
  SnapshotWriter,
  StoredFile,
} from '../snapshot-io.ts';
import { EarlierChunks } from './earlier-chunks.ts';
import { FileBatches } from './file-batches.ts';
import { Lane } from './lane.ts';
import { idsIn, type StoredPart } from './part-reader.ts';
import type { Pipeline } from './pipeline.ts';
import { SLAB_BYTES, type Slab, Slabs } from './slabs.ts';

/** One lane reads files, one slab collects trees; the other lanes are for streams. */
const STREAMS = Slabs.maxLanes - 2;

/** A part of a large file: long enough that cutting at its ends costs no space, short enough for several workers. */
const PART_BYTES = 32 * 1024 * 1024;

/** One for all: an id is asked for each file that did not change, and none is kept. */
const idRoom = Buffer.allocUnsafeSlow(ID_BYTES);

function bytesOfId(id: string): Buffer {
  // Else what was asked before would be asked again, and held.
  if (idRoom.write(id, 'hex') !== ID_BYTES) throw new TypeError(`${id} is no id`);
  return idRoom;
}

/** Writes files and trees through a pipeline. */
export class Writer implements SnapshotWriter {
  readonly maxStreams = STREAMS;
  readonly #pipeline: Pipeline;
  readonly #table: BlobTable;
  readonly #gear: Int32Array;
  readonly #fileLane: Lane;
  readonly #fileBatches: FileBatches;
  readonly #idleLanes: Lane[] = [];
  readonly #laneTakers: ((lane: Lane) => void)[] = [];
  #treeSlab: Slab | undefined;
  #treePosition = 0;
  /** Trees go into their slab one after the other. */
  #treeTurn: Promise<unknown> = Promise.resolve();

  constructor(pipeline: Pipeline, table: BlobTable, gear: Int32Array) {
    this.#pipeline = pipeline;
    this.#table = table;
    this.#gear = gear;
    this.#fileLane = new Lane(pipeline, this.#gear);
    this.#fileBatches = new FileBatches(pipeline);
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

  readFile(path: Uint8Array, onDone: (outcome: FileOutcome) => void): Promise<void> | undefined {
    return this.#fileBatches.add(path, onDone);
  }

  readFilesOf(directory: DirectoryOfFiles, told: FilesOfDirectory): Promise<void> {
    return this.#fileBatches.addDirectory(directory, told);
  }

  async writeInParts(
    fileDescriptor: number,
    { sizeBytes, limitBytes, before }: LargeFile,
    onRead: (bytes: number) => void,
  ): Promise<{ stored: Promise<StoredFile> }> {
    const earlier = before && new EarlierChunks(before, this.#table, sizeBytes);
    const parts: Promise<StoredPart>[] = [];
    try {
      for (let position = 0; position < Math.max(1, sizeBytes); position += PART_BYTES) {
        const isLast = position + PART_BYTES >= sizeBytes;
        const expected = earlier?.within(position, position + PART_BYTES);
        const part = { fileDescriptor, position, limitBytes: isLast ? limitBytes - position : PART_BYTES };
        const { stored } = await this.#pipeline.submitPart({ ...part, ...(expected && { expected }) });
        stored.then(({ sizeBytes: bytes }) => onRead(bytes), reachesWhoeverAwaits);
        parts.push(stored);
      }
    } catch (error) {
      // The descriptor is the caller's again once this is thrown.
      await Promise.allSettled(parts);
      throw error;
    }
    return { stored: awaitedLater(together(parts)) };
  }

  holds(content: readonly string[]): boolean {
    return content.every((id) => this.#table.has(bytesOfId(id), 'data'));
  }

  holdsTree(tree: string): boolean {
    return this.#table.has(bytesOfId(tree), 'tree');
  }

  async saveTree(nodes: TreeNode[]): Promise<string> {
    const bytes = encodeTree(nodes);
    // Most trees are those of the last backup: to hash one takes less than to hand it to a worker.
    const id = hash('sha256', bytes, 'buffer');
    if (this.#table.has(id, 'tree')) return id.toString('hex');
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

/** Resolves when every part is over, also where one failed: until then workers read. */
async function together(parts: Promise<StoredPart>[]): Promise<StoredFile> {
  await Promise.allSettled(parts);
  const stored = await Promise.all(parts);
  return {
    content: stored.flatMap(({ ids }) => idsIn(ids)),
    sizeBytes: stored.reduce((sum, part) => sum + part.sizeBytes, 0),
  };
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
