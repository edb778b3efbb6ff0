import type { NeededBlob } from './needed.ts';

/** Blobs of one pack that are read at once. */
export interface PackRange {
  pack: string;
  offset: number;
  length: number;
  blobs: NeededBlob[];
}

const MAX_RANGE_BYTES = 8 * 1024 * 1024;
/** A gap as small costs less to read than another request does. */
const MAX_GAP_BYTES = 64 * 1024;

/** What to read for these blobs: neighbours together, pack by pack. A blob that is larger than a range has one of its own. */
export function rangesOf(blobs: readonly NeededBlob[]): PackRange[] {
  const ordered = [...blobs].sort((a, b) => (a.pack < b.pack ? -1 : a.pack > b.pack ? 1 : a.offset - b.offset));
  const ranges: PackRange[] = [];
  for (const blob of ordered) {
    const last = ranges.at(-1);
    const end = blob.offset + blob.length;
    const fits =
      last !== undefined &&
      last.pack === blob.pack &&
      blob.offset - (last.offset + last.length) <= MAX_GAP_BYTES &&
      end - last.offset <= MAX_RANGE_BYTES;
    if (!fits) ranges.push({ pack: blob.pack, offset: blob.offset, length: blob.length, blobs: [blob] });
    else {
      last.blobs.push(blob);
      last.length = Math.max(last.length, end - last.offset);
    }
  }
  return ranges;
}
