import { type Dirent, lstatSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { byteString, bytesOf, displayName } from '../../format/index.ts';
import { type Entries, SALT } from './entries.ts';

/** What is in a directory that secrets were restored to. */
export interface RestoredDirectory {
  /** Contents by paths below it, as in a snapshot. */
  contents: Map<string, Buffer>;
  /** Paths, fit to be shown, that somebody else than their owner may read or enter. */
  exposed: string[];
}

const OTHERS = 0o077;

/** Reads a directory of secrets. Links are not followed. @throws the system's error */
export async function readRestored(directory: string): Promise<RestoredDirectory> {
  const found: RestoredDirectory = { contents: new Map(), exposed: [] };
  const visit = async (path: string, prefix: string): Promise<void> => {
    const entries: Dirent<Buffer>[] = await readdir(bytesOf(path), { withFileTypes: true, encoding: 'buffer' });
    for (const entry of entries) {
      const name = byteString(entry.name);
      const inside = `${path}/${name}`;
      const stats = lstatSync(bytesOf(inside));
      if ((stats.mode & OTHERS) !== 0) found.exposed.push(displayName(`${prefix}${name}`));
      if (entry.isDirectory()) await visit(inside, `${prefix}${name}/`);
      else if (entry.isFile()) found.contents.set(`${prefix}${name}`, await readFile(bytesOf(inside)));
    }
  };
  await visit(byteString(Buffer.from(directory)), '');
  found.contents.delete(SALT);
  return found;
}

/** What differs between entries and contents found somewhere, by paths: never by what they hold. */
export function differencesBetween(
  entries: Entries,
  found: ReadonlyMap<string, Buffer>,
): { path: string; kind: 'missing' | 'extra' | 'content' }[] {
  const paths = [...new Set([...entries.keys(), ...found.keys()])].sort();
  return paths.flatMap((path): { path: string; kind: 'missing' | 'extra' | 'content' }[] => {
    const [expected, actual] = [entries.get(path)?.content, found.get(path)];
    if (actual === undefined) return [{ path, kind: 'missing' }];
    if (expected === undefined) return [{ path, kind: 'extra' }];
    return expected.equals(actual) ? [] : [{ path, kind: 'content' }];
  });
}
