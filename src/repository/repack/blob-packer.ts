import { encodeIndexFile, encodePackTrailer, type IndexFile, type PackedBlob } from '../../format/index.ts';
import { INDEX_PREFIX, packKey } from '../layout.ts';
import { type Repository, sha256 } from '../repository.ts';
import { splitIndex } from '../write/session.ts';

/** restic's default. */
const PACK_SIZE_BYTES = 16 * 1024 * 1024;
/** What a killed run had stored by then is found by the next one. */
const INDEX_EVERY_PACKS = 32;

/** A blob that is sealed with the key of the repository that it goes to. */
export type SealedBlob = Pick<PackedBlob, 'id' | 'type' | 'uncompressedLength'>;

interface OpenPack {
  parts: Uint8Array[];
  blobs: PackedBlob[];
  sizeBytes: number;
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
  readonly #packSizeBytes: number;
  readonly #open = new Map<PackedBlob['type'], OpenPack>();
  #unindexed: IndexFile['packs'] = [];

  constructor(repository: Repository, packSizeBytes = PACK_SIZE_BYTES) {
    this.#repository = repository;
    this.#packSizeBytes = packSizeBytes;
  }

  /** Takes `sealed` over. Awaiting it is the back-pressure: it resolves later when a pack is put into the store. */
  async add(blob: SealedBlob, sealed: Uint8Array): Promise<void> {
    const pack = this.#open.get(blob.type) ?? { parts: [], blobs: [], sizeBytes: 0 };
    this.#open.set(blob.type, pack);
    pack.parts.push(sealed);
    pack.blobs.push({ ...blob, offset: pack.sizeBytes, length: sealed.byteLength });
    pack.sizeBytes += sealed.byteLength;
    this.packed.blobs++;
    this.packed.bytes += sealed.byteLength;
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

  async #put({ parts, blobs }: OpenPack): Promise<void> {
    const bytes = Buffer.concat([...parts, encodePackTrailer(this.#repository.key, blobs)]);
    const id = sha256(bytes);
    await this.#repository.store.put(packKey(id), bytes);
    this.packed.packs++;
    this.#unindexed.push({ id, blobs });
  }

  async #writeIndex(): Promise<void> {
    const packs = this.#unindexed;
    this.#unindexed = [];
    for (const file of splitIndex(packs)) {
      await this.#repository.putDocument(INDEX_PREFIX, encodeIndexFile(file));
    }
  }
}
