import { hash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { readAt } from '../../foundation/read-at.ts';

/** Some of the places of a file, as columns, and what each of them should hold. */
export interface PlacesOfFile {
  path: Uint8Array;
  /** In the file. */
  positions: Float64Array;
  lengths: Uint32Array;
  /** SHA-256, 32 bytes for each. */
  ids: Uint8Array;
}

const ID_BYTES = 32;

/**
 * Reads places of files that stand, through no link.
 * @returns for each file a list with a 1 for each place that holds what it should
 * @throws the system's error
 */
export function findRightPlaces(files: readonly PlacesOfFile[]): Uint8Array[] {
  const longest = files.reduce((most, { lengths }) => lengths.reduce((max, length) => Math.max(max, length), most), 0);
  const room = Buffer.allocUnsafeSlow(longest);
  try {
    return files.map((file) => rightPlacesOf(file, room));
  } finally {
    releaseBuffer(room);
  }
}

function rightPlacesOf({ path, positions, lengths, ids }: PlacesOfFile, room: Buffer): Uint8Array {
  const descriptor = openSync(Buffer.from(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return Uint8Array.from(lengths, (length, at) => {
      const bytes = readAt(descriptor, room.subarray(0, length), positions[at]!);
      const id = ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES);
      return bytes.length === length && Buffer.compare(hash('sha256', bytes, 'buffer'), id) === 0 ? 1 : 0;
    });
  } finally {
    closeSync(descriptor);
  }
}
