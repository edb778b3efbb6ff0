import { HoldfastError } from '../foundation/errors.ts';
import { SEAL_OVERHEAD_BYTES, type SealingKey, seal, unseal } from './sealing.ts';

/**
 * A pack: sealed blobs one after the other, then a sealed header that lists them, then the sealed header's length.
 * A header entry is: kind (1 byte), sealed length (LE32), plain length (LE32, compressed blobs only), id (32 bytes).
 * Source: restic's design document, "Pack Format".
 */

export type BlobType = 'data' | 'tree';

export interface PackedBlob {
  id: string;
  type: BlobType;
  /** Where the sealed blob begins in the pack. */
  offset: number;
  /** How long the sealed blob is. */
  length: number;
  /** How long the plain blob is, when it is compressed. */
  uncompressedLength?: number;
}

const KIND = { data: 0, tree: 1 } as const;
const COMPRESSED = 2;
const PLAIN_ENTRY_BYTES = 37;
const COMPRESSED_ENTRY_BYTES = 41;
const LENGTH_BYTES = 4;
/** restic's own limit for one header. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024 + LENGTH_BYTES;

/** How many bytes a pack's end takes, from the last blob on. */
export function packTrailerBytes(blobs: readonly Pick<PackedBlob, 'uncompressedLength'>[]): number {
  let bytes = SEAL_OVERHEAD_BYTES + LENGTH_BYTES;
  for (const blob of blobs) bytes += blob.uncompressedLength === undefined ? PLAIN_ENTRY_BYTES : COMPRESSED_ENTRY_BYTES;
  return bytes;
}

/** The end of a pack that holds these blobs in this order: sealed header and its length. */
export function encodePackTrailer(key: SealingKey, blobs: readonly PackedBlob[]): Buffer {
  const header = Buffer.alloc(packTrailerBytes(blobs) - SEAL_OVERHEAD_BYTES - LENGTH_BYTES);
  let at = 0;
  for (const blob of blobs) {
    const compressed = blob.uncompressedLength !== undefined;
    at = header.writeUInt8(KIND[blob.type] + (compressed ? COMPRESSED : 0), at);
    at = header.writeUInt32LE(blob.length, at);
    if (compressed) at = header.writeUInt32LE(blob.uncompressedLength!, at);
    at += header.write(blob.id, at, 'hex');
  }
  const sealed = seal(key, header);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(sealed.length);
  return Buffer.concat([sealed, length]);
}

/** How many bytes before a pack's end its sealed header begins, from the pack's last four bytes. @throws repository-damaged */
export function packTrailerLength(lastBytes: Uint8Array, packBytes: number): number {
  const view = Buffer.from(lastBytes.buffer, lastBytes.byteOffset, lastBytes.byteLength);
  const sealedBytes = view.length >= LENGTH_BYTES ? view.readUInt32LE(view.length - LENGTH_BYTES) : 0;
  const trailerBytes = sealedBytes + LENGTH_BYTES;
  if (sealedBytes < SEAL_OVERHEAD_BYTES || trailerBytes > Math.min(packBytes, MAX_HEADER_BYTES)) {
    throw new HoldfastError('repository-damaged', 'a pack does not end in a header');
  }
  return trailerBytes;
}

/**
 * The blobs that a pack says it holds.
 * @param trailer the pack's last `packTrailerLength` bytes
 * @throws repository-damaged when the header is not authentic, or does not fit a pack of this size
 */
export function decodePackTrailer(key: SealingKey, trailer: Uint8Array, packBytes: number): PackedBlob[] {
  const header = unseal(key, trailer.subarray(0, trailer.byteLength - LENGTH_BYTES));
  const blobs: PackedBlob[] = [];
  let offset = 0;
  for (let at = 0; at < header.length; ) {
    const kind = header[at]!;
    const compressed = kind >= COMPRESSED;
    const entryBytes = compressed ? COMPRESSED_ENTRY_BYTES : PLAIN_ENTRY_BYTES;
    if (kind > 3 || at + entryBytes > header.length) {
      throw new HoldfastError('repository-damaged', "a pack's header is malformed");
    }
    const length = header.readUInt32LE(at + 1);
    blobs.push({
      id: header.toString('hex', at + entryBytes - 32, at + entryBytes),
      type: kind % 2 === KIND.tree ? 'tree' : 'data',
      offset,
      length,
      ...(compressed && { uncompressedLength: header.readUInt32LE(at + 5) }),
    });
    offset += length;
    at += entryBytes;
  }
  if (offset !== packBytes - trailer.byteLength) {
    throw new HoldfastError(
      'repository-damaged',
      `a pack's header lists ${offset} bytes of blobs, the pack holds ${packBytes - trailer.byteLength}`,
    );
  }
  return blobs;
}
