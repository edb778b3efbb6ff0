import { byteString, displayName, SEAL_OVERHEAD_BYTES } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { IndexedRepository } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { ReadPool } from '../read/pool.ts';
import { Descriptors } from './descriptors.ts';
import type { PlannedEntry } from './plan.ts';

/** As many files are written to at most by one range: there are limits to how many may be open. */
const MAX_DESTINATIONS = 32;
/** Blobs of a pack that lie no further apart are read in one go. */
const MAX_GAP_BYTES = 128 * 1024;
const MAX_RANGE_BYTES = 8 * 1024 * 1024;

interface WantedBlob {
  id: string;
  offset: number;
  length: number;
  uncompressedLength: number | undefined;
  destinations: { file: number; position: number }[];
}

interface Range {
  pack: string;
  offset: number;
  length: number;
  blobs: WantedBlob[];
}

/** Fills the files: by packs, each read in large ranges and once, several at a time. */
export async function fetchFiles(
  indexed: IndexedRepository,
  pool: ReadPool,
  files: readonly PlannedEntry[],
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<void> {
  const ranges = planRanges(indexed, files);
  const descriptors = new Descriptors(files);
  try {
    for (const [file, { node }] of files.entries()) if ((node.content ?? []).length === 0) descriptors.create(file);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let at = next++; at < ranges.length; at = next++) {
        try {
          signal.throwIfAborted();
          await fetchRange(indexed, pool, descriptors, ranges[at]!, progress);
        } catch (error) {
          next = ranges.length;
          throw error;
        }
      }
    };
    // All have to end before the files are closed below, so that no number is written to that means another file by then.
    const results = await Promise.allSettled(Array.from({ length: pool.threadCount * 2 }, work));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  } finally {
    descriptors.closeAll();
  }
}

async function fetchRange(
  indexed: IndexedRepository,
  pool: ReadPool,
  descriptors: Descriptors,
  range: Range,
  progress: Progress,
): Promise<void> {
  const sealed = await indexed.repository.store.get(packKey(range.pack), {
    offset: range.offset,
    length: range.length,
  });
  const acquired: number[] = [];
  try {
    const blobs = range.blobs.map(({ id, offset, length, uncompressedLength, destinations }) => ({
      id,
      start: offset - range.offset,
      length,
      uncompressedLength,
      destinations: destinations.map(({ file, position }) => {
        const descriptor = descriptors.acquire(file);
        acquired.push(file);
        return { descriptor, position };
      }),
    }));
    progress.advance({ bytes: await pool.write(range.pack, sealed, blobs) });
  } finally {
    for (const file of acquired) descriptors.release(file);
  }
}

/** Which ranges of which packs hold what the files need, in the order in which the files first need them. */
function planRanges(indexed: IndexedRepository, files: readonly PlannedEntry[]): Range[] {
  const packs = new Map<string, Map<string, WantedBlob>>();
  for (const [file, { node, path }] of files.entries()) {
    let position = 0;
    for (const id of node.content ?? []) {
      const { pack, offset, length, uncompressedLength } = indexed.locate(id, 'data');
      const blobs = packs.get(pack) ?? new Map<string, WantedBlob>();
      packs.set(pack, blobs);
      const blob = blobs.get(id) ?? { id, offset, length, uncompressedLength, destinations: [] };
      blobs.set(id, blob);
      blob.destinations.push({ file, position });
      position += uncompressedLength ?? length - SEAL_OVERHEAD_BYTES;
    }
    if (position !== Number(node.size ?? 0)) {
      throw new HoldfastError(
        'repository-damaged',
        `${displayName(byteString(path))} should have ${node.size ?? 0} bytes, its blobs have ${position}`,
      );
    }
  }
  return [...packs].flatMap(([pack, blobs]) => coalesce(pack, [...blobs.values()].flatMap(splitDestinations)));
}

/** A blob that goes to very many places as several, which are read one after the other. */
function splitDestinations({ destinations, ...blob }: WantedBlob): WantedBlob[] {
  const parts: WantedBlob[] = [];
  for (let at = 0; at < destinations.length; at += MAX_DESTINATIONS) {
    parts.push({ ...blob, destinations: destinations.slice(at, at + MAX_DESTINATIONS) });
  }
  return parts;
}

function coalesce(pack: string, blobs: WantedBlob[]): Range[] {
  const ranges: Range[] = [];
  let destinations = 0;
  for (const blob of blobs.sort((a, b) => a.offset - b.offset)) {
    const last = ranges.at(-1);
    const end = blob.offset + blob.length;
    if (
      last !== undefined &&
      blob.offset - (last.offset + last.length) <= MAX_GAP_BYTES &&
      end - last.offset <= MAX_RANGE_BYTES &&
      destinations + blob.destinations.length <= MAX_DESTINATIONS
    ) {
      destinations += blob.destinations.length;
      last.length = Math.max(last.length, end - last.offset);
      last.blobs.push(blob);
    } else {
      destinations = blob.destinations.length;
      ranges.push({ pack, offset: blob.offset, length: blob.length, blobs: [blob] });
    }
  }
  return ranges;
}
