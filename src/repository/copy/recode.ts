import { type BlobType, compress, type SealingKey, seal, unseal } from '../../format/index.ts';
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

/**
 * Opens a blob, checks its content against its name, and seals it for another repository. What is compressed stays as it is
 * where the other repository can have it so.
 * @throws repository-damaged
 */
export function recodeBlob(
  from: SealingKey,
  to: RecodeTarget,
  { sealed, pack, ...blob }: Omit<RecodedBlob, 'sealed'> & { sealed: Uint8Array; pack: string },
): RecodedBlob {
  const { id, type, uncompressedLength } = blob;
  const plain = openBlob(from, sealed, blob, pack);
  if (to.formatVersion === 1) return { id, type, sealed: seal(to.key, plain), uncompressedLength: undefined };
  if (uncompressedLength !== undefined) {
    return { id, type, sealed: seal(to.key, unseal(from, sealed)), uncompressedLength };
  }
  const compressed = compress(plain);
  const pays = compressed.byteLength < plain.byteLength;
  return {
    id,
    type,
    sealed: seal(to.key, pays ? compressed : plain),
    uncompressedLength: pays ? plain.byteLength : undefined,
  };
}
