import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * Opens a file that somebody named, and that may turn out to be anything, to read. A pipe that nobody writes to would be waited
 * for without end, and a device may never end: neither is taken.
 * @throws what the system says; NoFileError
 */
export async function openGivenFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (stats.isFile()) return file;
    throw new NoFileError(
      stats.isDirectory() ? 'it is a directory' : 'it is a pipe or a device: write what it gives to a file first',
    );
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * What is in a file that somebody named: at most one byte more than `largestBytes`, which is enough to know that it is another
 * file than was meant.
 * @throws as `openGivenFile`
 */
export async function readGivenFile(path: string, largestBytes: number): Promise<Buffer> {
  const file = await openGivenFile(path);
  try {
    const parts: Buffer[] = [];
    for await (const part of file.createReadStream({ end: largestBytes, autoClose: false })) parts.push(part as Buffer);
    return Buffer.concat(parts);
  } finally {
    await file.close();
  }
}

/** What was named as a file is none. */
export class NoFileError extends Error {
  override readonly name = 'NoFileError';
}
