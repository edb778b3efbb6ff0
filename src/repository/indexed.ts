import { hash } from 'node:crypto';
import { decodeIndexFile, decompress, type IndexFile, MAX_CHUNK_BYTES, unseal } from '../format/index.ts';
import { HoldfastError } from '../foundation/errors.ts';
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
  locate(id: string): BlobLocation & { pack: string } {
    const location = this.table.find(Buffer.from(id, 'hex'));
    if (location === undefined) {
      throw new HoldfastError('repository-damaged', `blob ${id} is in no pack that the index knows`, {
        hint: 'Run `holdfast check` to see which snapshots and paths this concerns.',
        context: { blob: id },
      });
    }
    return { ...location, pack: this.packIds[location.packNumber]! };
  }

  /** A blob's plain bytes, authenticated. @throws repository-damaged */
  async readBlob(id: string): Promise<Buffer> {
    const location = this.locate(id);
    const sealed = await this.repository.store.get(packKey(location.pack), {
      offset: location.offset,
      length: location.length,
    });
    return openBlob(this.repository.key, sealed, id, location.uncompressedLength);
  }
}

/** Unseals, decompresses and checks a blob. @throws repository-damaged */
export function openBlob(
  key: Repository['key'],
  sealed: Uint8Array,
  id: string,
  uncompressedLength: number | undefined,
): Buffer {
  const opened = unseal(key, sealed);
  const plain =
    uncompressedLength === undefined ? opened : decompress(opened, Math.min(uncompressedLength, MAX_BLOB_BYTES));
  if (hash('sha256', plain, 'hex') !== id) {
    throw new HoldfastError('repository-damaged', `blob ${id} is damaged: its content does not match its name`, {
      context: { blob: id },
    });
  }
  return plain;
}

/** How many index files are read at the same time. */
const PARALLEL_READS = 8;

/** Reads all index files. @throws repository-damaged */
export async function loadIndex(repository: Repository): Promise<IndexedRepository> {
  const keys = await repository.documentKeys(INDEX_PREFIX);
  const files: IndexFile[] = new Array(keys.length);
  let next = 0;
  const read = async (): Promise<void> => {
    for (let at = next++; at < keys.length; at = next++)
      files[at] = decodeIndexFile(await repository.getDocument(keys[at]!));
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, read));
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
