import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../foundation/errors.ts';
import { isUnsupportedScheme, NOT_SUPPORTED } from './unsupported.ts';

/** Where a repository's objects lie. */
export interface StorePlace {
  kind: 'local';
  /** Absolute. */
  path: string;
}

/** Two letters at least, so that a drive's letter is none. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/**
 * The place that a `store:` names, or what is wrong with it. A relative path is relative to `directory`, the plan's.
 * The message never repeats the text, which may hold credentials.
 */
export function parseStore(store: string, directory: string): StorePlace | { problem: string } {
  const scheme = SCHEME.exec(store)?.[1]?.toLowerCase();
  if (scheme === 'file') return parseFileUrl(store);
  if (scheme !== undefined) {
    const supported = isUnsupportedScheme(scheme) ? NOT_SUPPORTED : 'not a store';
    return { problem: `a store at ${scheme}: is ${supported}; expected a path or a file:// URL` };
  }
  if (store.trim() === '') return { problem: 'the store is empty; expected a path or a file:// URL' };
  if (store.includes('\0')) return { problem: 'a path holds no zero byte' };
  if (store.startsWith('~')) return { problem: '"~" is not expanded; expected an absolute path' };
  return { kind: 'local', path: resolve(directory, store) };
}

function parseFileUrl(store: string): StorePlace | { problem: string } {
  const problem = 'not a file URL of this machine; expected file:///absolute/path';
  if (!/^file:\/\//i.test(store)) return { problem };
  try {
    const path = fileURLToPath(store);
    return path.includes('\0') ? { problem } : { kind: 'local', path: resolve(path) };
  } catch {
    // A host, an escaped slash, or no URL at all.
    return { problem };
  }
}

/** The place that `store` names; throws `plan-invalid`. For a store whose text came from a reference. */
export function storePlace(store: string, directory: string): StorePlace {
  const place = parseStore(store, directory);
  if ('problem' in place) throw new HoldfastError('plan-invalid', place.problem);
  return place;
}
