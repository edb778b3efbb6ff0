import { decodePackTrailer, type PackedBlob, packTrailerLength } from '../format/index.ts';
import { packKey } from './layout.ts';
import { orReadAnew } from './read-anew.ts';
import type { Repository } from './repository.ts';

/** As much as the header of a pack of usual size takes. */
const USUAL_HEADER_BYTES = 16 * 1024;

/**
 * The blobs that a pack's own header lists, without the blobs being read.
 * @param expectedBytes how long its end from the header on is thought to be: when that is right, one read is enough
 * @throws repository-damaged when there is no authentic header, or it does not fit the pack's size
 */
export function readPackHeader(
  repository: Repository,
  pack: { id: string; sizeBytes: number },
  expectedBytes = USUAL_HEADER_BYTES,
): Promise<PackedBlob[]> {
  return orReadAnew(() => readHeader(repository, pack, expectedBytes));
}

async function readHeader(
  { store, key }: Repository,
  pack: { id: string; sizeBytes: number },
  expectedBytes: number,
): Promise<PackedBlob[]> {
  const { id, sizeBytes } = pack;
  const tailOf = (length: number): Promise<Uint8Array> =>
    store.get(packKey(id), { offset: sizeBytes - length, length });
  let tail = await tailOf(Math.min(sizeBytes, expectedBytes));
  const length = packTrailerLength(tail, sizeBytes);
  if (length > tail.byteLength) tail = await tailOf(length);
  return decodePackTrailer(key, tail.subarray(tail.byteLength - length), sizeBytes);
}
