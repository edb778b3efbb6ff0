import { writeFile } from 'node:fs/promises';
import { HoldfastError, systemReason } from '../foundation/errors.ts';

/** Puts a report into a file. @throws output-failed */
export async function writeReport(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new HoldfastError('output-failed', `cannot write ${path}: ${systemReason(cause)}`, {
      hint: 'Name a file in a directory that may be written to.',
      context: { path },
      cause,
    });
  }
}
