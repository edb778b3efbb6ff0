import { closeSync, existsSync, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Flips a bit in each pack that a repository has. @returns puts right those that are still there */
export function flipBytes(repository: string): () => void {
  const entries = readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true });
  const packs = entries.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  for (const pack of packs) flipBit(pack, 40);
  return () => {
    for (const pack of packs.filter((each) => existsSync(each))) flipBit(pack, 40);
  };
}

/** The lowest bit of one byte of a file: the same again puts it right. */
export function flipBit(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.from([byte[0]! ^ 1]), 0, 1, at);
  closeSync(file);
}
