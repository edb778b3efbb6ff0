import { HoldfastError } from '../foundation/errors.ts';
import type { PackedBlob } from './pack.ts';
import { asId, asRecord } from './sealed-json.ts';

/** An index file: which pack holds which blobs. Source: restic's design document, "Indexing". */
export interface IndexFile {
  packs: { id: string; blobs: PackedBlob[] }[];
}

/** No sealed blob has as many bytes: a pack has fewer. */
const MAX_SEALED_BYTES = 2 ** 31;

/** The newest restic writes no larger ones. */
export const MAX_BLOBS_PER_INDEX_FILE = 50_000;

export function encodeIndexFile(index: IndexFile): unknown {
  return {
    packs: index.packs.map((pack) => ({
      id: pack.id,
      blobs: pack.blobs.map((blob) => ({
        id: blob.id,
        type: blob.type,
        offset: blob.offset,
        length: blob.length,
        ...(blob.uncompressedLength !== undefined && { uncompressed_length: blob.uncompressedLength }),
      })),
    })),
  };
}

/** @throws repository-damaged */
export function decodeIndexFile(document: unknown): IndexFile {
  const packs = asRecord(document, 'an index file')['packs'] ?? [];
  if (!Array.isArray(packs)) throw new HoldfastError('repository-damaged', 'an index file lists no packs');
  return {
    packs: packs.map((entry) => {
      const pack = asRecord(entry, 'an index entry');
      const blobs = pack['blobs'];
      if (!Array.isArray(blobs)) throw new HoldfastError('repository-damaged', 'an index entry lists no blobs');
      return { id: asId(pack['id'], "a pack's id"), blobs: blobs.map(decodeBlob) };
    }),
  };
}

function decodeBlob(entry: unknown): PackedBlob {
  const { id, type, offset, length, uncompressed_length: plainLength } = asRecord(entry, 'a blob in an index');
  const isLength = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
  const isType = type === 'data' || type === 'tree';
  if (!isType || !isLength(offset) || !isLength(length) || length >= MAX_SEALED_BYTES) {
    throw new HoldfastError('repository-damaged', 'an index holds a malformed blob');
  }
  const blob: PackedBlob = { id: asId(id, "a blob's id"), type, offset, length };
  if (plainLength === undefined || plainLength === 0) return blob;
  if (!isLength(plainLength)) throw new HoldfastError('repository-damaged', 'an index holds a malformed blob');
  return { ...blob, uncompressedLength: plainLength };
}
