import { hash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BlobSealer, type BlobType, SEAL_OVERHEAD_BYTES, type SealingKey } from '../../format/index.ts';
import type { BlobTable } from '../blob-table.ts';
import type { ClaimTable } from './claim-table.ts';
import { type FinishedPack, PackBuffer, PackFile } from './pack-file.ts';

export interface SealerOptions {
  key: SealingKey;
  table: Pick<BlobTable, 'has'>;
  claims: ClaimTable;
  /** Format 1 knows no compression. */
  formatVersion: 1 | 2;
  stagingDirectory: string;
  /** Every staged file of a run begins with this, so that an aborted run can remove its own. */
  stagingPrefix: string;
  /** A pack is finished once it holds as much. */
  packSizeBytes: number;
  /** Whether the store goes by the MD5 of what it is given. */
  wantsMd5: boolean;
  onPack: (pack: FinishedPack) => void;
}

/** Turns plain blobs into sealed ones in packs: hash, look up, compress, seal, append. One per thread. */
export class Sealer {
  readonly #options: SealerOptions;
  /** Made for the first blob: most runs store none on the main thread. */
  #blobSealer: BlobSealer | undefined;
  readonly #packs = new Map<BlobType, PackFile>();
  readonly #buffers: Record<BlobType, PackBuffer> = { data: new PackBuffer(), tree: new PackBuffer() };

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  /** Stores a blob unless the repository or this run has it. @param id where it is known already */
  store(
    type: BlobType,
    plain: Uint8Array,
    id: Buffer = this.#packs.get(type)?.hashAlongside(plain) ?? hash('sha256', plain, 'buffer'),
  ): { id: Buffer; fresh: boolean; storedBytes: number } {
    const { key, table, claims, formatVersion } = this.#options;
    if (table.has(id, type) || !claims.claim(id, type)) return { id, fresh: false, storedBytes: 0 };
    this.#blobSealer ??= new BlobSealer(key);
    const pack = this.#packOf(type);
    const room = pack.room(plain.length + SEAL_OVERHEAD_BYTES);
    const { sealedBytes, compressed } = this.#blobSealer.seal(plain, room, { compress: formatVersion === 2 });
    pack.append({
      id: id.toString('hex'),
      type,
      length: sealedBytes,
      ...(compressed && { uncompressedLength: plain.length }),
    });
    if (pack.sizeBytes >= this.#options.packSizeBytes) this.#finish(type, pack);
    return { id, fresh: true, storedBytes: sealedBytes };
  }

  /** Finishes the packs that are begun. */
  finish(): void {
    for (const [type, pack] of [...this.#packs]) this.#finish(type, pack);
  }

  /** Gives up the packs that are begun. */
  discard(): void {
    for (const pack of this.#packs.values()) pack.discard();
    this.#packs.clear();
  }

  #packOf(type: BlobType): PackFile {
    let pack = this.#packs.get(type);
    if (pack === undefined) {
      const name = `${this.#options.stagingPrefix}${randomBytes(8).toString('hex')}`;
      pack = new PackFile(join(this.#options.stagingDirectory, name), this.#buffers[type], this.#options);
      this.#packs.set(type, pack);
    }
    return pack;
  }

  #finish(type: BlobType, pack: PackFile): void {
    this.#packs.delete(type);
    this.#options.onPack(pack.finish(this.#options.key));
  }
}
