import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BlobType,
  encodeIndexFile,
  type IndexFile,
  MAX_BLOBS_PER_INDEX_FILE,
  type PackedBlob,
} from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { openBlob } from '../indexed.ts';
import { INDEX_PREFIX, packKey } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import type { Repository } from '../repository.ts';
import { PackBuffer, PackFile } from '../write/pack-file.ts';
import { stagingError } from '../write/pipeline.ts';
import { splitIndex } from '../write/session.ts';
import type { PackUse } from './plan.ts';

/** A gap between blobs is read over when it is no larger: one read more would cost more. */
const READ_OVER_BYTES = 256 * 1024;

export interface RepackOptions {
  lock: HeldLock;
  signal: AbortSignal;
  progress: Progress;
  /** A new pack is finished once it holds as much. */
  packSizeBytes: number;
}

/**
 * Copies what is used of packs into new ones: sealed as it is, once it was opened and found whole. When it resolves the
 * copies and their index are durable, and the old packs are as they were.
 * @throws repository-damaged, disk-full …
 */
export async function repack(repository: Repository, packs: readonly PackUse[], options: RepackOptions): Promise<void> {
  if (packs.length === 0) return;
  options.progress.phase('copying what is used', { bytes: packs.reduce((sum, { usedBytes }) => sum + usedBytes, 0) });
  const copier = new Copier(repository, options);
  try {
    await copier.prepare();
    for (const { id, used } of packs) {
      options.signal.throwIfAborted();
      await copier.copy(id, used);
    }
    await copier.finish();
  } finally {
    copier.discard();
  }
}

class Copier {
  readonly #repository: Repository;
  readonly #options: RepackOptions;
  readonly #directory: string;
  readonly #begun = new Map<BlobType, PackFile>();
  readonly #buffers: Record<BlobType, PackBuffer> = { data: new PackBuffer(), tree: new PackBuffer() };
  #unindexed: IndexFile['packs'] = [];

  constructor(repository: Repository, options: RepackOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#directory = repository.store.stagingDirectory ?? join(tmpdir(), `holdfast-packs-${process.getuid?.() ?? 0}`);
  }

  async prepare(): Promise<void> {
    await this.#staging(() => makeDirectories(this.#directory, 0o700));
  }

  async copy(pack: string, blobs: readonly PackedBlob[]): Promise<void> {
    const { store, key } = this.#repository;
    for (const run of runsOf(blobs)) {
      const offset = run[0]!.offset;
      const length = run.at(-1)!.offset + run.at(-1)!.length - offset;
      const got = await store.get(packKey(pack), { offset, length });
      const bytes = Buffer.from(got.buffer, got.byteOffset, got.byteLength);
      for (const blob of run) {
        const sealed = bytes.subarray(blob.offset - offset, blob.offset - offset + blob.length);
        openBlob(key, sealed, blob, pack);
        await this.#append(blob, sealed);
        this.#options.progress.advance({ bytes: blob.length });
      }
    }
  }

  async finish(): Promise<void> {
    for (const type of [...this.#begun.keys()]) await this.#finishPack(type);
    await this.#writeIndex();
  }

  /** Gives up the packs that are begun. */
  discard(): void {
    for (const pack of this.#begun.values()) pack.discard();
    this.#begun.clear();
  }

  async #append({ id, type, uncompressedLength }: PackedBlob, sealed: Buffer): Promise<void> {
    const pack = await this.#staging(async () => {
      const begun = this.#begun.get(type) ?? new PackFile(this.#newFile(), this.#buffers[type]);
      this.#begun.set(type, begun);
      begun.room(sealed.length).set(sealed);
      begun.append({
        id,
        type,
        length: sealed.length,
        ...(uncompressedLength !== undefined && { uncompressedLength }),
      });
      return begun;
    });
    if (pack.sizeBytes >= this.#options.packSizeBytes) await this.#finishPack(type);
  }

  async #finishPack(type: BlobType): Promise<void> {
    const pack = await this.#staging(async () => this.#begun.get(type)!.finish(this.#repository.key));
    this.#begun.delete(type);
    await this.#repository.store.put(packKey(pack.id), { file: pack.file, sizeBytes: pack.sizeBytes });
    this.#unindexed.push({ id: pack.id, blobs: pack.blobs });
    const blobs = this.#unindexed.reduce((sum, each) => sum + each.blobs.length, 0);
    if (blobs >= MAX_BLOBS_PER_INDEX_FILE) await this.#writeIndex();
  }

  async #writeIndex(): Promise<void> {
    await this.#options.lock.confirm();
    for (const file of splitIndex(this.#unindexed)) {
      await this.#repository.putDocument(INDEX_PREFIX, encodeIndexFile(file));
    }
    this.#unindexed = [];
  }

  #newFile(): string {
    return join(this.#directory, `${process.pid}-${randomBytes(14).toString('hex')}`);
  }

  async #staging<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw stagingError(this.#directory, messageOf(error), systemCode(error));
    }
  }
}

/** Blobs that lie close together in a pack, so that each run is read at once. */
function runsOf(blobs: readonly PackedBlob[]): PackedBlob[][] {
  const runs: PackedBlob[][] = [];
  let endsAt = Number.NEGATIVE_INFINITY;
  for (const blob of blobs.toSorted((a, b) => a.offset - b.offset)) {
    if (blob.offset - endsAt > READ_OVER_BYTES) runs.push([]);
    runs.at(-1)!.push(blob);
    endsAt = blob.offset + blob.length;
  }
  return runs;
}
