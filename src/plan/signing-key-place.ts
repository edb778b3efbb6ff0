/** Where the private key that signs may lie: in no repository, and in no backup, which would bring it there. Pure. */
import { isAbsolute, relative, resolve } from 'node:path';
import type { LedgerKeeping } from './ledger-schema.ts';
import type { Finding } from './problems.ts';
import type { TextOrReference } from './reference-schema.ts';
import type { Source } from './sources/index.ts';
import { parseStore } from './store.ts';

/** What of a plan it is about. */
interface Places {
  ledger: LedgerKeeping;
  directory: string;
  repositories: ReadonlyMap<string, Stored>;
  mirrors: ReadonlyMap<string, Stored>;
  sources: ReadonlyMap<string, Source>;
}

interface Stored {
  name: string;
  store: TextOrReference;
}

const PATH: PropertyKey[] = ['ledger', 'signingKey'];

/** The same source, with the file of the key left out of what it captures. */
export function withoutSigningKey(source: Source, ledger: LedgerKeeping, directory: string): Source {
  const file = keyFile(ledger, directory);
  if (file === undefined || !mayHold(source, file)) return source;
  return { ...source, exclude: [...source.exclude, ...[file, `${file}.next`].map(asPattern)] };
}

/** That it lies in a repository, where who can read that could sign. */
export function signingKeyProblems({ ledger, directory, repositories, mirrors }: Places): Finding[] {
  const file = keyFile(ledger, directory);
  if (file === undefined) return [];
  return [...repositories.values(), ...mirrors.values()].flatMap(({ name, store }): Finding[] => {
    const place = typeof store === 'string' ? parseStore(store, directory) : undefined;
    if (place === undefined || 'problem' in place || place.kind !== 'local' || !contains(place.path, file)) return [];
    const message = `the key lies in the repository "${name}": who can read that could sign; expected a place outside`;
    return [{ path: PATH, at: 'value', message }];
  });
}

/** That it lies where a source is captured: told, since a restore does not bring it back. */
export function signingKeyDoubts({ ledger, directory, sources }: Places): Finding[] {
  const file = keyFile(ledger, directory);
  if (file === undefined) return [];
  return [...sources.values()].flatMap((source): Finding[] => {
    if (!mayHold(source, file) || !source.paths.every((path) => typeof path === 'string')) return [];
    const message = `the key lies in what "${source.name}" captures, and is left out of it: it belongs in no repository; keep it elsewhere as well`;
    return [{ path: PATH, at: 'value', message }];
  });
}

function keyFile({ signingKey }: LedgerKeeping, directory: string): string | undefined {
  if (typeof signingKey !== 'object' || !('file' in signingKey)) return undefined;
  return resolve(directory, signingKey.file);
}

/** Where a path is a reference, nobody knows yet. */
function mayHold(source: Source, file: string): source is Extract<Source, { type: 'files' }> {
  return source.type === 'files' && source.paths.some((path) => typeof path !== 'string' || contains(path, file));
}

function contains(directory: string, path: string): boolean {
  const below = relative(directory, path);
  return !below.startsWith('..') && !isAbsolute(below);
}

/** A pattern that names this path and no other: see `pathMatcher`. */
function asPattern(path: string): string {
  return path.replaceAll(/[\\*?[\]{}]/g, '\\$&');
}
