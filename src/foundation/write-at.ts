import { writeSync, writevSync } from 'node:fs';

/**
 * Writes pieces that follow each other from a position of an open file on.
 * @param system for tests: one that takes a part of it only
 * @returns how many bytes they are. @throws the system's error
 */
export function writeAt(
  descriptor: number,
  pieces: readonly Buffer[],
  position: number,
  system: { writeSync: typeof writeSync; writevSync: typeof writevSync } = { writeSync, writevSync },
): number {
  let taken = pieces.length === 1 ? 0 : system.writevSync(descriptor, pieces, position);
  let at = position;
  for (const piece of pieces) {
    let done = Math.min(taken, piece.length);
    taken -= done;
    while (done < piece.length) done += system.writeSync(descriptor, piece, done, piece.length - done, at + done);
    at += piece.length;
  }
  return at - position;
}
