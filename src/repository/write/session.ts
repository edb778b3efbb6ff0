import {
  beginsWithTree,
  gearTable,
  type IndexColumns,
  type IndexFile,
  indexText,
  MAX_BLOBS_PER_INDEX_FILE,
  type Snapshot,
} from '../../format/index.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { IndexedRepository } from '../indexed.ts';
import { INDEX_PREFIX, packKey } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import type { SnapshotWriter } from '../snapshot-io.ts';
import { saveSnapshot } from '../snapshots.ts';
import type { FinishedPack } from './pack-file.ts';
import { Pipeline, type PipelineStatistics } from './pipeline.ts';
import { Writer } from './writer.ts';

/** restic's default. */
const PACK_SIZE_BYTES = 16 * 1024 * 1024;
/** What a killed run had stored by then is found by the next one. */
const INDEX_AT_LEAST_EVERY_MS = 5 * 60_000;

/**
 * Writes one snapshot in the order that makes it safe: packs, then the index of them, then the snapshot. A snapshot that is
 * visible is complete; a session that dies before leaves nothing but packs that a later one uses or a prune removes.
 */
export class WriteSession {
  readonly writer: SnapshotWriter;
  readonly #indexed: IndexedRepository;
  readonly #pipeline: Pipeline;
  readonly #lock: HeldLock;
  readonly #clock: Clock;
  /** Of one pack each that is on its way to the store. */
  readonly #onTheWay = new Set<IndexColumns>();
  /** Of one pack each that is in the store. */
  #unindexed: IndexColumns[] = [];
  #unindexedBlobs = 0;
  #indexedMs: number;
  /** What is on its way is in the last index already. */
  #isEnding = false;

  private constructor(indexed: IndexedRepository, pipeline: Pipeline, gear: Int32Array, options: WriteSessionOptions) {
    this.#indexed = indexed;
    this.#pipeline = pipeline;
    this.#lock = options.lock;
    this.#clock = options.clock;
    this.#indexedMs = options.clock.monotonicMs();
    this.writer = new Writer(pipeline, indexed.lasting, gear);
  }

  static async begin(indexed: IndexedRepository, options: WriteSessionOptions): Promise<WriteSession> {
    const { key, store, config } = indexed.repository;
    const gear = gearTable(config.chunkerPolynomial);
    let session: WriteSession | undefined;
    const pipeline = await Pipeline.start({
      key,
      table: indexed.lasting,
      formatVersion: config.version,
      stagingDirectory: store.stagingDirectory,
      packSizeBytes: options.packSizeBytes ?? PACK_SIZE_BYTES,
      // Where packs are moved to their place nobody asks for more than their name.
      wantsMd5: store.stagingDirectory === undefined,
      gear,
      commit: (pack) => session!.#commitPack(pack),
    });
    session = new WriteSession(indexed, pipeline, gear, options);
    return session;
  }

  get statistics(): Readonly<PipelineStatistics> {
    return this.#pipeline.statistics;
  }

  /**
   * Makes everything written durable, then the snapshot visible. Ends the session.
   * @param snapshot is called when all blobs are stored, so that it can hold the final figures
   */
  async commit(snapshot: () => Snapshot): Promise<string> {
    await this.#pipeline.pack();
    this.#isEnding = true;
    // While the last packs are on their way, and put once they are there.
    const index = this.#sealIndex([...this.#unindexed, ...this.#onTheWay]);
    await this.#pipeline.finish();
    await this.#putIndex(index);
    await this.#lock.confirm();
    return saveSnapshot(this.#indexed.repository, snapshot());
  }

  /** Ends the session without a snapshot. */
  async abort(reason: unknown): Promise<void> {
    await this.#pipeline.abort(reason);
  }

  async #commitPack(pack: FinishedPack): Promise<void> {
    const { id, file, sizeBytes, md5, listing } = pack;
    const again = beginsWithTree(listing);
    const about = { bulk: !again, again, ...(md5 !== undefined && { md5 }) };
    this.#onTheWay.add(listing);
    await this.#indexed.repository.store.put(packKey(id), { file, sizeBytes }, about);
    this.#onTheWay.delete(listing);
    if (this.#isEnding) return;
    this.#unindexed.push(listing);
    this.#unindexedBlobs += listing.count;
    const overdue = this.#clock.monotonicMs() - this.#indexedMs > INDEX_AT_LEAST_EVERY_MS;
    if (overdue || this.#unindexedBlobs >= MAX_BLOBS_PER_INDEX_FILE) await this.#writeIndex();
  }

  async #writeIndex(): Promise<void> {
    const listings = this.#unindexed;
    this.#unindexed = [];
    this.#unindexedBlobs = 0;
    this.#indexedMs = this.#clock.monotonicMs();
    await this.#putIndex(this.#sealIndex(listings));
  }

  #sealIndex(listings: readonly IndexColumns[]): Buffer[] {
    const { repository } = this.#indexed;
    return inIndexFiles(listings, ({ count }) => count).map((file) => repository.sealDocumentText(indexText(file)));
  }

  /** @param files sealed; every pack that they name is in the store */
  async #putIndex(files: readonly Buffer[]): Promise<void> {
    // Who lost the lock may have lost packs with it, to a prune that took them for left over: no index may name them.
    await this.#lock.confirm();
    for (const file of files) await this.#indexed.repository.putSealed(INDEX_PREFIX, file);
  }
}

export interface WriteSessionOptions {
  lock: HeldLock;
  clock: Clock;
  /** For tests. */
  packSizeBytes?: number;
}

/** Packs in index files that hold no more blobs than other readers like. */
export function splitIndex(packs: IndexFile['packs'], packsToDelete: IndexFile['packs'] = []): IndexFile[] {
  const files = inIndexFiles(packs, ({ blobs }) => blobs.length).map((file): IndexFile => ({ packs: file }));
  const ofThese = inIndexFiles(packsToDelete, ({ blobs }) => blobs.length);
  return [...files, ...ofThese.map((file): IndexFile => ({ packs: [], packsToDelete: file }))];
}

/** What these files list, each pack once, in as few: but for packs that go, with all that others say of the rest. */
export function mergedIndex(files: readonly IndexFile[], going: ReadonlySet<string> = new Set()): IndexFile[] {
  const staying = (packs: IndexFile['packs']): IndexFile['packs'] => [
    ...new Map(packs.flatMap((pack) => (going.has(pack.id) ? [] : [[pack.id, pack] as const]))).values(),
  ];
  return splitIndex(
    staying(files.flatMap(({ packs }) => packs)),
    staying(files.flatMap(({ packsToDelete = [] }) => packsToDelete)),
  );
}

function inIndexFiles<Pack>(packs: readonly Pack[], blobsOf: (pack: Pack) => number): Pack[][] {
  const files: Pack[][] = [];
  let blobs = Number.POSITIVE_INFINITY;
  for (const pack of packs) {
    if (blobs + blobsOf(pack) > MAX_BLOBS_PER_INDEX_FILE) {
      files.push([]);
      blobs = 0;
    }
    files.at(-1)!.push(pack);
    blobs += blobsOf(pack);
  }
  return files;
}
