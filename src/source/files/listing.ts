import { readdirSync } from 'node:fs';

/** The names in a directory, as byte strings in their order, and which of them are known to be regular files. */
export interface Listing {
  names: string[];
  files: ReadonlySet<string>;
}

/** Nobody knows. */
export const NO_FILES: ReadonlySet<string> = new Set();

/** @throws the system's error where the directory cannot be read */
export function listDirectory(path: Uint8Array): Listing {
  // One character for each byte, which is what a byte string is.
  const directory = Buffer.from(path);
  try {
    const names: string[] = [];
    const files = new Set<string>();
    for (const entry of readdirSync(directory, { encoding: 'latin1', withFileTypes: true })) {
      names.push(entry.name);
      if (entry.isFile()) files.add(entry.name);
    }
    return { names: names.sort(), files };
  } catch (error) {
    // Where a file system tells no types, Node asks for each, which it cannot by a name in this form.
    if ((error as { code?: unknown }).code !== 'ERR_INVALID_ARG_TYPE') throw error;
    return { names: readdirSync(directory, { encoding: 'latin1' }).sort(), files: NO_FILES };
  }
}
