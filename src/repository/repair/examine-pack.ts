import { type PackedBlob, packTrailerBytes, type SealingKey } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { listingDigest } from '../check/inspect-pack.ts';
import { inspectStored } from '../check/inspect-stored.ts';
import { openBlob } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { ReadPool } from '../read/pool.ts';
import { readPackHeader } from '../read-header.ts';
import type { Repository } from '../repository.ts';

/** What a repair makes of a pack that is there. */
export type Verdict =
  /** It is as the index says. */
  | { kind: 'as-indexed' }
  /** It is whole, as far as was looked, and the index does not know it or says something else. */
  | { kind: 'to-be-indexed'; blobs: PackedBlob[] }
  /** It is damaged; the `readable` blobs were authenticated, the `unreadable` ones it should have held as well. */
  | { kind: 'damaged'; reason: string; readable: PackedBlob[]; unreadable: PackedBlob[] };

export interface PackToExamine {
  id: string;
  sizeBytes: number;
  /** What index files say that it holds: none, when no index knows it. */
  listings: readonly (readonly PackedBlob[])[];
}

/**
 * Holds a pack against what the index says of it.
 * @param whole whether every byte is to be read; else only its header is, as long as nothing speaks against the pack
 * @throws what the store throws: only what is known of a pack's content is a verdict
 */
export async function examinePack(
  repository: Repository,
  pack: PackToExamine,
  { whole, pool }: { whole: boolean; pool: ReadPool },
): Promise<Verdict> {
  const { store, key } = repository;
  const header = whole ? undefined : await readHeader(repository, pack);
  if (header !== undefined && (pack.listings.length === 0 || agree(pack, header))) return verdictOn(pack, header);
  const { inspection } = await inspectStored(store, pool, pack.id, { wantsBlobs: true });
  const { messages, blobs } = inspection;
  if (blobs !== undefined && messages.length === 0) return verdictOn(pack, blobs);
  return examineDamaged(key, pack, { bytes: await store.get(packKey(pack.id)), header: blobs, reason: messages[0] });
}

/** The blobs that a pack's header lists; undefined when it has none that can be read. */
async function readHeader(repository: Repository, pack: PackToExamine): Promise<PackedBlob[] | undefined> {
  const [listing] = pack.listings;
  try {
    return await readPackHeader(repository, pack, listing && packTrailerBytes(listing));
  } catch (error) {
    if (isHoldfastError(error, 'repository-damaged')) return undefined;
    throw error;
  }
}

function agree({ listings }: PackToExamine, blobs: readonly PackedBlob[]): boolean {
  const digest = listingDigest(blobs);
  return listings.every((listing) => listingDigest(listing) === digest);
}

function verdictOn(pack: PackToExamine, blobs: PackedBlob[]): Verdict {
  return pack.listings.length > 0 && agree(pack, blobs) ? { kind: 'as-indexed' } : { kind: 'to-be-indexed', blobs };
}

/** Which blobs of a damaged pack can be read, of those that its header or the index says that it holds. */
function examineDamaged(
  key: SealingKey,
  pack: PackToExamine,
  {
    bytes,
    header = [],
    reason = '',
  }: { bytes: Uint8Array; header: PackedBlob[] | undefined; reason: string | undefined },
): Verdict {
  const readable = new Map<string, PackedBlob>();
  const unreadable = new Map<string, PackedBlob>();
  for (const blob of [...header, ...pack.listings.flat()]) {
    const name = `${blob.type} ${blob.id}`;
    if (readable.has(name)) continue;
    if (isReadable(key, pack.id, bytes, blob)) readable.set(name, blob);
    else unreadable.set(name, blob);
  }
  for (const name of readable.keys()) unreadable.delete(name);
  return { kind: 'damaged', reason, readable: [...readable.values()], unreadable: [...unreadable.values()] };
}

function isReadable(key: SealingKey, pack: string, bytes: Uint8Array, blob: PackedBlob): boolean {
  try {
    releaseBuffer(openBlob(key, bytes.subarray(blob.offset, blob.offset + blob.length), blob, pack));
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'repository-damaged')) return false;
    throw error;
  }
}
