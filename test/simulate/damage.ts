import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Flips a bit in each pack of a repository: the same again puts it right. */
export function flipBytes(repository: string): void {
  const entries = readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) flipBit(join(entry.parentPath, entry.name), 40);
}

/** The lowest bit of one byte of a file: the same again puts it right. */
export function flipBit(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.from([byte[0]! ^ 1]), 0, 1, at);
  closeSync(file);
}
