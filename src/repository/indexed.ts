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
import { sideBySide } from '../foundation/promises.ts';
import { type BlobLocation, BlobTable } from './blob-table.ts';
import { INDEX_PREFIX, packKey } from './layout.ts';
import { packsOf, readMarks } from './prune/marks.ts';
import type { Repository } from './repository.ts';

/** How many index files are read at the same time. */
const PARALLEL_READS = 8;
/** restic cuts no larger blobs than 8 MiB; a tree may be larger, but not without end. */
const MAX_BLOB_BYTES = Math.max(1024 * 1024 * 1024, MAX_CHUNK_BYTES);

/** A repository whose index is loaded: its blobs can be found and read. */
export class IndexedRepository {
  readonly repository: Repository;
  /** Every blob that the index knows. */
  readonly table: BlobTable;
  /** The blobs that a writer may build on: those of packs that no prune has marked. The same table where none has. */
  readonly lasting: BlobTable;
  /** The packs that the index knows; a blob's pack number is a place in it. */
  readonly packIds: string[];

  constructor(repository: Repository, tables: { table: BlobTable; lasting: BlobTable }, packIds: string[]) {
    this.repository = repository;
    this.table = tables.table;
    this.lasting = tables.lasting;
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

/** An index file as it was found: with its content, or with why it has none. */
export type ReadIndexFile =
  | { key: string; file: IndexFile; error?: undefined }
  | { key: string; file: undefined; error: HoldfastError };

/** Reads all index files, each for itself. */
export async function readEachIndexFile(repository: Repository): Promise<ReadIndexFile[]> {
  const files: ReadIndexFile[] = [];
  await sideBySide(await repository.documentKeys(INDEX_PREFIX), PARALLEL_READS, async (key) => {
    files.push(await readIndexFile(repository, key));
  });
  return files;
}

async function readIndexFile(repository: Repository, key: string): Promise<ReadIndexFile> {
  try {
    return { key, file: decodeIndexFile(await repository.getDocument(key)) };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { key, file: undefined, error };
  }
}

/**
 * Reads all index files.
 * @param onDamage is told of a file that cannot be used, which is passed over then; without it that is thrown
 * @throws repository-damaged
 */
export async function readIndexFiles(
  repository: Repository,
  onDamage?: (key: string, error: HoldfastError) => void,
): Promise<IndexFile[]> {
  return [...(await readIndexByKey(repository, onDamage)).values()];
}

/** The same, by key. What a prune replaces while this goes on is read as what it put in its place. */
export async function readIndexByKey(
  repository: Repository,
  onDamage?: (key: string, error: HoldfastError) => void,
): Promise<Map<string, IndexFile>> {
  const known = new Map<string, IndexFile>();
  const missing = new Set<string>();
  const read = async (key: string): Promise<void> => {
    try {
      known.set(key, decodeIndexFile(await repository.getDocument(key)));
    } catch (error) {
      // Gone since it was listed, most likely: the next listing tells, and what is listed again must be there.
      if (isHoldfastError(error, 'object-missing') && !missing.has(key)) missing.add(key);
      else if (onDamage === undefined || !isHoldfastError(error)) throw error;
      else {
        onDamage(key, error);
        known.set(key, { packs: [] });
      }
    }
  };
  // A listing is not one moment: it may show neither an old file nor the new one that replaces it. Two that are equal do.
  let before: string | undefined;
  for (;;) {
    const listed = await repository.documentKeys(INDEX_PREFIX);
    const fresh = listed.filter((key) => !known.has(key));
    if (listed.join() === before && fresh.length === 0) break;
    before = listed.join();
    await sideBySide(fresh, PARALLEL_READS, read);
    for (const key of known.keys()) if (!listed.includes(key)) known.delete(key);
  }
  return known;
}

/** @param marked packs that a prune is going to remove: a blob is looked for there only when it is nowhere else */
export function indexOf(
  repository: Repository,
  files: readonly IndexFile[],
  marked: ReadonlySet<string> = new Set(),
): IndexedRepository {
  const packs = files.flatMap((file) => file.packs);
  const lastingPacks = packs.filter(({ id }) => !marked.has(id));
  const packIds: string[] = [];
  const packNumbers = new Map<string, number>();
  const numberOf = (id: string): number => {
    const number = packNumbers.get(id) ?? packIds.push(id) - 1;
    packNumbers.set(id, number);
    return number;
  };
  const tableOf = (listed: IndexFile['packs']): BlobTable => {
    const table = BlobTable.withCapacity(listed.reduce((sum, { blobs }) => sum + blobs.length, 0));
    for (const { id, blobs } of listed) {
      const number = numberOf(id);
      for (const blob of blobs) table.add(Buffer.from(blob.id, 'hex'), number, blob);
    }
    return table;
  };
  const lasting = tableOf(lastingPacks);
  const isMarked = lastingPacks.length < packs.length;
  const table = isMarked ? tableOf([...lastingPacks, ...packs.filter(({ id }) => marked.has(id))]) : lasting;
  return new IndexedRepository(repository, { table, lasting }, packIds);
}

/** Loads the index, under a lock that was taken before. @throws repository-damaged */
export async function loadIndex(repository: Repository): Promise<IndexedRepository> {
  // Marks first: one that is gone by then was swept, and no index file read from then on has what it named.
  const marked = packsOf(await readMarks(repository));
  return indexOf(repository, await readIndexFiles(repository), marked);
}
