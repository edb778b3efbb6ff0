import { createHash } from 'node:crypto';
import { decodePackTrailer, type PackedBlob, packTrailerLength, type SealingKey } from '../../format/index.ts';
import { messageOf } from '../../foundation/errors.ts';
import { hashAlongside, runningSha256 } from '../../foundation/sha256.ts';
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
  const name = new NameCheck(bytes);
  let blobs: PackedBlob[];
  try {
    const trailer = bytes.subarray(bytes.byteLength - packTrailerLength(bytes.subarray(-4), bytes.byteLength));
    blobs = decodePackTrailer(key, trailer, bytes.byteLength);
  } catch (error) {
    if (!name.isRight(pack)) inspection.messages.push(WRONG_NAME);
    inspection.messages.push(`its header cannot be read: ${messageOf(error)}`);
    return inspection;
  }
  inspection.listing = listingDigest(blobs);
  if (wantsBlobs) inspection.blobs = blobs;
  for (const [at, blob] of blobs.entries()) {
    const { id, uncompressedLength = 0, offset, length } = blob;
    const end = offset + length;
    name.hashUpTo(end);
    const next = blobs[at + 1];
    const along = (plain: Uint8Array): Buffer => name.hashAlongside(plain, next ? end + next.length : bytes.length);
    try {
      opener.open(bytes.subarray(offset, end), { id: Buffer.from(id, 'hex'), uncompressedLength, pack }, along);
    } catch (error) {
      inspection.damaged.push({ id: blob.id, type: blob.type });
      inspection.messages.push(messageOf(error));
    }
  }
  if (!name.isRight(pack)) inspection.messages.unshift(WRONG_NAME);
  return inspection;
}

const WRONG_NAME = 'its content does not match its name';

/** Hashes a pack piece by piece, each before it is used up, and as much of it as can be along with the blobs in it. */
class NameCheck {
  readonly #hash = runningSha256();
  readonly #bytes: Uint8Array;
  #hashedBytes = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  hashUpTo(end: number): void {
    this.#hash.update(this.#take(end));
  }

  /** The hash of `plain`, while the pack is hashed up to `end`. */
  hashAlongside(plain: Uint8Array, end: number): Buffer {
    return hashAlongside(plain, this.#hash, this.#take(end));
  }

  /** Hashes the rest. */
  isRight(pack: string): boolean {
    this.hashUpTo(this.#bytes.length);
    return this.#hash.digest().toString('hex') === pack;
  }

  #take(end: number): Uint8Array {
    const begin = this.#hashedBytes;
    this.#hashedBytes = Math.max(begin, end);
    return this.#bytes.subarray(begin, this.#hashedBytes);
  }
}

/** One short text for all that is said of a pack's blobs, to hold what an index says against what the pack does. */
export function listingDigest(blobs: readonly PackedBlob[]): string {
  const digest = createHash('sha256');
  for (const { id, type, offset, length, uncompressedLength } of [...blobs].sort((a, b) => a.offset - b.offset)) {
    digest.update(`${type} ${id} ${offset} ${length} ${uncompressedLength ?? '-'}\n`);
  }
  return digest.digest('base64');
}
