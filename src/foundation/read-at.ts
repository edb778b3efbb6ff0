import { readSync } from 'node:fs';

/** Fills a buffer from a position of an open file. @returns what was read of it: less than all where the file ends */
export function readAt(descriptor: number, buffer: Buffer, position: number): Buffer {
  let done = 0;
  while (done < buffer.length) {
    const read = readSync(descriptor, buffer, done, buffer.length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return buffer.subarray(0, done);
}
