import { hash } from 'node:crypto';
import {
  type BlobType,
  decodeIndexFile,
  decompress,
  type IndexFile,
  MAX_CHUNK_BYTES,
  SEAL_OVERHEAD_BYTES,
  unseal,
} from '../format/index.ts';
import { releaseBuffer } from '../foundation/buffers.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { type BlobLocation, BlobTable } from './blob-table.ts';
import { INDEX_PREFIX, packKey } from './layout.ts';
import type { Repository } from './repository.ts';

/** restic cuts no larger blobs than 8 MiB; a tree may be larger, but not without end. */
const MAX_BLOB_BYTES = Math.max(1024 * 1024 * 1024, MAX_CHUNK_BYTES);

/** A repository whose index is loaded: its blobs can be found and read. */
export class IndexedRepository {
  readonly repository: Repository;
  readonly table: BlobTable;
  /** The packs that the index knows; a blob's pack number is a place in it. */
  readonly packIds: string[];

  constructor(repository: Repository, table: BlobTable, packIds: string[]) {
    this.repository = repository;
    this.table = table;
    this.packIds = packIds;
  }

  /** Where a blob lies. @throws repository-damaged when the index does not know it */
  locate(id: string, type: BlobType): BlobLocation & { pack: string } {
    const location = this.table.find(Buffer.from(id, 'hex'), type);
    if (location === undefined) {
      throw new HoldfastError('repository-damaged', `blob ${id} is in no pack that the index knows`, {
        hint: 'Run `holdfast check` to see which snapshots and paths this concerns.',
        context: { blob: id },
      });
    }
    return { ...location, pack: this.packIds[location.packNumber]! };
  }

  /** How many bytes a blob of a file has. @throws repository-damaged when the index does not know it */
  plainLength(id: string): number {
    const { length, uncompressedLength } = this.locate(id, 'data');
    return uncompressedLength ?? length - SEAL_OVERHEAD_BYTES;
  }

  /** A blob's plain bytes, authenticated. @throws repository-damaged */
  async readBlob(id: string, type: BlobType): Promise<Buffer> {
    const { pack, offset, length, uncompressedLength } = this.locate(id, type);
    const sealed = await this.repository.store.get(packKey(pack), { offset, length });
    const plain = openBlob(this.repository.key, sealed, { id, uncompressedLength }, pack);
    releaseBuffer(sealed);
    return plain;
  }
}

/** Unseals, decompresses and checks a blob of a pack. @throws repository-damaged, naming both */
export function openBlob(
  key: Repository['key'],
  sealed: Uint8Array,
  { id, uncompressedLength }: { id: string; uncompressedLength?: number | undefined },
  pack: string,
): Buffer {
  const damaged = (how: string, cause?: unknown): HoldfastError =>
    new HoldfastError('repository-damaged', `blob ${id} in pack ${pack} is damaged: ${how}`, {
      context: { blob: id, pack },
      cause,
    });
  let plain: Buffer;
  try {
    const opened = unseal(key, sealed);
    plain =
      uncompressedLength === undefined ? opened : decompress(opened, Math.min(uncompressedLength, MAX_BLOB_BYTES));
    if (plain !== opened) releaseBuffer(opened);
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    throw damaged(error.message, error);
  }
  // A restore places what follows by this length.
  if (plain.length !== (uncompressedLength ?? plain.length)) {
    throw damaged(`it has ${plain.length} bytes, not the ${uncompressedLength} that the index says`);
  }
  if (hash('sha256', plain, 'hex') !== id) throw damaged('its content does not match its name');
  return plain;
}

/** How many index files are read at the same time. */
const PARALLEL_READS = 8;

/**
 * Reads all index files.
 * @param onDamage is told of a file that cannot be used, which is passed over then; without it that is thrown
 * @throws repository-damaged
 */
export async function readIndexFiles(
  repository: Repository,
  onDamage?: (key: string, error: HoldfastError) => void,
): Promise<IndexFile[]> {
  const keys = await repository.documentKeys(INDEX_PREFIX);
  const files: IndexFile[] = new Array(keys.length);
  let next = 0;
  const read = async (): Promise<void> => {
    for (let at = next++; at < keys.length; at = next++) {
      try {
        files[at] = decodeIndexFile(await repository.getDocument(keys[at]!));
      } catch (error) {
        if (onDamage === undefined || !isHoldfastError(error)) throw error;
        onDamage(keys[at]!, error);
        files[at] = { packs: [] };
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, read));
  return files;
}

export function indexOf(repository: Repository, files: readonly IndexFile[]): IndexedRepository {
  const blobCount = files.reduce(
    (sum, file) => sum + file.packs.reduce((count, pack) => count + pack.blobs.length, 0),
    0,
  );
  const table = BlobTable.withCapacity(blobCount);
  const packNumbers = new Map<string, number>();
  const packIds: string[] = [];
  for (const { packs } of files) {
    for (const pack of packs) {
      let number = packNumbers.get(pack.id);
      if (number === undefined) {
        number = packIds.push(pack.id) - 1;
        packNumbers.set(pack.id, number);
      }
      for (const blob of pack.blobs) table.add(Buffer.from(blob.id, 'hex'), number, blob);
    }
  }
  return new IndexedRepository(repository, table, packIds);
}

/** @throws repository-damaged */
export async function loadIndex(repository: Repository): Promise<IndexedRepository> {
  return indexOf(repository, await readIndexFiles(repository));
}
