import { type BlobType, compress, type SealingKey, sealParts, unseal } from '../../format/index.ts';
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
  if (to.formatVersion === 1) return { id, type, sealed: sealAndRelease(to.key, plain), uncompressedLength: undefined };
  if (uncompressedLength !== undefined) {
    releaseBuffer(plain);
    return { id, type, sealed: sealAndRelease(to.key, unseal(from, sealed)), uncompressedLength };
  }
  const compressed = compress(plain);
  const pays = compressed.byteLength < plain.byteLength;
  const plainBytes = plain.byteLength;
  releaseBuffer(pays ? plain : compressed);
  return {
    id,
    type,
    sealed: sealAndRelease(to.key, pays ? compressed : plain),
    uncompressedLength: pays ? plainBytes : undefined,
  };
}

/** Seals into memory of its own, and gives back at once all that is as large: left to the collector it would add up. */
function sealAndRelease(key: SealingKey, content: Buffer): Uint8Array {
  const parts = sealParts(key, content);
  releaseBuffer(content);
  const sealed = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    sealed.set(part, at);
    at += part.byteLength;
  }
  releaseBuffer(parts[1]);
  return sealed;
}
