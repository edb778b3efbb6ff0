import { BlobSealer, type BlobType, SEAL_OVERHEAD_BYTES, type SealingKey, unseal } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { openBlob } from '../indexed.ts';

/** A blob as another repository has it: sealed with that one's key. */
export interface RecodedBlob {
  id: string;
  type: BlobType;
  sealed: Uint8Array;
  /** Undefined when it is not compressed. */
  uncompressedLength: number | undefined;
}

export interface RecodeTarget {
  key: SealingKey;
  /** Format 1 knows no compression. */
  formatVersion: 1 | 2;
}

/** Opens blobs, checks their content against their names, and seals them for another repository. */
export class Recoder {
  readonly #from: SealingKey;
  readonly #compresses: boolean;
  readonly #sealer: BlobSealer;

  constructor(from: SealingKey, to: RecodeTarget) {
    this.#from = from;
    this.#compresses = to.formatVersion === 2;
    this.#sealer = new BlobSealer(to.key);
  }

  /**
   * What is compressed stays as it is where the other repository can have it so.
   * @throws repository-damaged
   */
  recode({ sealed, pack, ...blob }: Omit<RecodedBlob, 'sealed'> & { sealed: Uint8Array; pack: string }): RecodedBlob {
    const { id, type, uncompressedLength } = blob;
    const plain = openBlob(this.#from, sealed, blob, pack);
    if (this.#compresses && uncompressedLength !== undefined) {
      releaseBuffer(plain);
      return { id, type, sealed: this.#seal(unseal(this.#from, sealed), false).bytes, uncompressedLength };
    }
    const plainBytes = plain.byteLength;
    const { bytes, compressed } = this.#seal(plain, this.#compresses);
    return { id, type, sealed: bytes, uncompressedLength: compressed ? plainBytes : undefined };
  }

  /** Seals into memory of its own, which may be handed over, and gives back that of `content`. */
  #seal(content: Buffer, compress: boolean): { bytes: Uint8Array; compressed: boolean } {
    const room = new Uint8Array(content.byteLength + SEAL_OVERHEAD_BYTES);
    const { sealedBytes, compressed } = this.#sealer.seal(content, room, { compress });
    releaseBuffer(content);
    return { bytes: new Uint8Array(room.buffer.transfer(sealedBytes)), compressed };
  }
}
