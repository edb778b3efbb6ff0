import { HoldfastError } from '../foundation/errors.ts';
import type { PackedBlob } from './pack.ts';
import { asId, asRecord } from './sealed-json.ts';

/** An index file: which pack holds which blobs. Source: restic's design document, "Indexing". */
export interface IndexFile {
  packs: IndexedPack[];
  /** Packs that rustic is going to remove: nothing is looked for in them, and rustic may still take one back. */
  packsToDelete?: IndexedPack[];
}

export interface IndexedPack {
  id: string;
  blobs: PackedBlob[];
  /** What rustic says beyond that, the time for one, and gets back from whoever writes the entry again. */
  unknown?: Record<string, unknown>;
}

/** No sealed blob has as many bytes: a pack has fewer. */
const MAX_SEALED_BYTES = 2 ** 31;

/** The newest restic writes no larger ones. */
export const MAX_BLOBS_PER_INDEX_FILE = 50_000;

export function encodeIndexFile({ packs, packsToDelete = [] }: IndexFile): unknown {
  return {
    packs: packs.map(encodePack),
    ...(packsToDelete.length > 0 && { packs_to_delete: packsToDelete.map(encodePack) }),
  };
}

function encodePack({ id, blobs, unknown }: IndexedPack): unknown {
  return {
    id,
    blobs: blobs.map((blob) => ({
      id: blob.id,
      type: blob.type,
      offset: blob.offset,
      length: blob.length,
      ...(blob.uncompressedLength !== undefined && { uncompressed_length: blob.uncompressedLength }),
    })),
    ...unknown,
  };
}

/** @throws repository-damaged */
export function decodeIndexFile(document: unknown): IndexFile {
  const file = asRecord(document, 'an index file');
  const packs = decodePacks(file['packs']);
  const packsToDelete = decodePacks(file['packs_to_delete']);
  return packsToDelete.length === 0 ? { packs } : { packs, packsToDelete };
}

function decodePacks(packs: unknown): IndexedPack[] {
  if (packs === undefined || packs === null) return [];
  if (!Array.isArray(packs)) throw new HoldfastError('repository-damaged', 'an index file lists no packs');
  return packs.map((entry) => {
    const { id, blobs, ...unknown } = asRecord(entry, 'an index entry');
    if (!Array.isArray(blobs)) throw new HoldfastError('repository-damaged', 'an index entry lists no blobs');
    const pack = { id: asId(id, "a pack's id"), blobs: blobs.map(decodeBlob) };
    return Object.keys(unknown).length === 0 ? pack : { ...pack, unknown };
  });
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
