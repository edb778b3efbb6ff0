import { hash } from 'node:crypto';
import { type BlobType, decompress, MAX_CHUNK_BYTES, SEAL_OVERHEAD_BYTES, unseal } from '../format/index.ts';
import { releaseBuffer } from '../foundation/buffers.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { Use } from '../store/index.ts';
import type { BlobLocation, BlobTable } from './blob-table.ts';
import { packKey } from './layout.ts';
import type { Repository } from './repository.ts';

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
  /** By number, of the packs that trees were read from. */
  readonly #packBytes = new Map<number, number>();

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

  /** How a blob is read: that of a tree is read again by other commands, and its pack is worth keeping. */
  useOf(id: string, type: BlobType, packNumber: number): Use {
    if (type !== 'tree') return {};
    const known = this.#packBytes.get(packNumber);
    const objectBytes = known ?? this.table.packEnd(Buffer.from(id, 'hex'), type);
    this.#packBytes.set(packNumber, objectBytes);
    return { again: true, objectBytes };
  }

  /** A blob's plain bytes, authenticated. @throws repository-damaged */
  async readBlob(id: string, type: BlobType): Promise<Buffer> {
    const { packNumber, pack, offset, length, uncompressedLength } = this.locate(id, type);
    return this.repository.read(
      packKey(pack),
      (sealed) => {
        const plain = openBlob(this.repository.key, sealed, { id, uncompressedLength }, pack);
        releaseBuffer(sealed);
        return plain;
      },
      { offset, length },
      this.useOf(id, type, packNumber),
    );
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
