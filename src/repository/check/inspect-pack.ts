import { createHash, hash } from 'node:crypto';
import { decodePackTrailer, type PackedBlob, packTrailerLength, type SealingKey } from '../../format/index.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { BlobOpener } from '../read/blob-opener.ts';

/** What a look at every byte of a pack found. */
export interface Inspection {
  /** What is wrong with the pack as a whole. */
  messages: string[];
  /** The blobs that are damaged. */
  damaged: Pick<PackedBlob, 'id' | 'type'>[];
  /** `listingDigest` of what the pack's header lists; undefined when the header cannot be read. */
  listing: string | undefined;
  /** What it lists, where that was asked for. */
  blobs?: PackedBlob[];
}

/**
 * Reads and authenticates every byte of a pack: its name, its header, and each blob in it.
 * @param bytes are used up
 */
export function inspectPack(
  opener: BlobOpener,
  key: SealingKey,
  { pack, bytes, wantsBlobs }: { pack: string; bytes: Uint8Array; wantsBlobs: boolean },
): Inspection {
  const inspection: Inspection = { messages: [], damaged: [], listing: undefined };
  if (hash('sha256', bytes, 'hex') !== pack) inspection.messages.push('its content does not match its name');
  let blobs: PackedBlob[];
  try {
    const trailer = bytes.subarray(bytes.byteLength - packTrailerLength(bytes.subarray(-4), bytes.byteLength));
    blobs = decodePackTrailer(key, trailer, bytes.byteLength);
  } catch (error) {
    inspection.messages.push(`its header cannot be read: ${messageOf(error)}`);
    return inspection;
  }
  inspection.listing = listingDigest(blobs);
  if (wantsBlobs) inspection.blobs = blobs;
  for (const blob of blobs) {
    try {
      const { id, uncompressedLength = 0 } = blob;
      const sealed = bytes.subarray(blob.offset, blob.offset + blob.length);
      opener.open(sealed, { id: Buffer.from(id, 'hex'), uncompressedLength, pack });
    } catch (error) {
      inspection.damaged.push({ id: blob.id, type: blob.type });
      inspection.messages.push(messageOf(error));
    }
  }
  return inspection;
}

/** One short text for all that is said of a pack's blobs, to hold what an index says against what the pack does. */
export function listingDigest(blobs: readonly PackedBlob[]): string {
  const digest = createHash('sha256');
  for (const { id, type, offset, length, uncompressedLength } of [...blobs].sort((a, b) => a.offset - b.offset)) {
    digest.update(`${type} ${id} ${offset} ${length} ${uncompressedLength ?? '-'}\n`);
  }
  return digest.digest('base64');
}
