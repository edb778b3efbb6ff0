import { encodeIndexFile, encodePackTrailer, type IndexFile, type PackedBlob } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { INDEX_PREFIX, packKey } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import { type Repository, sha256 } from '../repository.ts';
import { splitIndex } from './session.ts';

/** restic's default. */
const PACK_SIZE_BYTES = 16 * 1024 * 1024;
/** For the blob that runs over it, and the header. What is not used costs nothing. */
const ROOM_BYTES = 9 * 1024 * 1024;
/** What a killed run had stored by then is found by the next one. */
const INDEX_EVERY_PACKS = 32;

/** A blob that is sealed with the key of the repository that it goes to. */
export type SealedBlob = Pick<PackedBlob, 'id' | 'type' | 'uncompressedLength'>;

/** A pack that grows in one piece of memory, which is given back when the pack is stored. */
class OpenPack {
  readonly blobs: PackedBlob[] = [];
  sizeBytes = 0;
  #bytes: Buffer;

  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(expectedBytes);
  }

  append(bytes: Uint8Array): void {
    this.#makeRoom(bytes.byteLength);
    this.#bytes.set(bytes, this.sizeBytes);
    this.sizeBytes += bytes.byteLength;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.sizeBytes);
  }

  release(): void {
    releaseBuffer(this.#bytes);
  }

  #makeRoom(moreBytes: number): void {
    if (this.sizeBytes + moreBytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.sizeBytes + moreBytes, this.#bytes.length * 2));
    larger.set(this.bytes);
    releaseBuffer(this.#bytes);
    this.#bytes = larger;
  }
}

export interface BlobPackerOptions {
  lock: HeldLock;
  /** A pack is stored once it holds as much. */
  packSizeBytes?: number | undefined;
}

export interface Packed {
  packs: number;
  blobs: number;
  /** Bytes of sealed blobs. */
  bytes: number;
}

/**
 * Stores blobs that are sealed already: in packs, each of one type, and the index after the packs that it names. Blobs
 * given to it are neither looked up nor looked at.
 */
export class BlobPacker {
  readonly packed: Packed = { packs: 0, blobs: 0, bytes: 0 };
  readonly #repository: Repository;
  readonly #lock: HeldLock;
  readonly #packSizeBytes: number;
  readonly #open = new Map<PackedBlob['type'], OpenPack>();
  #unindexed: IndexFile['packs'] = [];

  constructor(repository: Repository, { lock, packSizeBytes = PACK_SIZE_BYTES }: BlobPackerOptions) {
    this.#repository = repository;
    this.#lock = lock;
    this.#packSizeBytes = packSizeBytes;
  }

  /** Takes `sealed` over. Awaiting it is the back-pressure: it resolves later when a pack is put into the store. */
  async add(blob: SealedBlob, sealed: Uint8Array): Promise<void> {
    const pack = this.#open.get(blob.type) ?? new OpenPack(this.#packSizeBytes + ROOM_BYTES);
    this.#open.set(blob.type, pack);
    pack.blobs.push({ ...blob, offset: pack.sizeBytes, length: sealed.byteLength });
    pack.append(sealed);
    this.packed.blobs++;
    this.packed.bytes += sealed.byteLength;
    releaseBuffer(sealed);
    if (pack.sizeBytes < this.#packSizeBytes) return;
    this.#open.delete(blob.type);
    await this.#put(pack);
    if (this.#unindexed.length >= INDEX_EVERY_PACKS) await this.#writeIndex();
  }

  /** Stores what is left, then the index. Resolves once all is durable; no other call may be under way. */
  async finish(): Promise<Packed> {
    for (const [type, pack] of [...this.#open]) {
      this.#open.delete(type);
      await this.#put(pack);
    }
    await this.#writeIndex();
    return this.packed;
  }

  async #put(pack: OpenPack): Promise<void> {
    const { blobs } = pack;
    pack.append(encodePackTrailer(this.#repository.key, blobs));
    const id = sha256(pack.bytes);
    const isTrees = blobs[0]?.type === 'tree';
    await this.#repository.store.put(packKey(id), pack.bytes, { bulk: !isTrees, again: isTrees });
    pack.release();
    this.packed.packs++;
    this.#unindexed.push({ id, blobs });
  }

  async #writeIndex(): Promise<void> {
    // Who lost the lock may have lost packs with it, to a prune that took them for left over: no index may name them.
    await this.#lock.confirm();
    const packs = this.#unindexed;
    this.#unindexed = [];
    for (const file of splitIndex(packs)) {
      await this.#repository.putDocument(INDEX_PREFIX, encodeIndexFile(file));
    }
  }
}
