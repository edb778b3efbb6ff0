import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isUnsupportedScheme, NOT_SUPPORTED } from './unsupported.ts';

export interface LocalPlace {
  kind: 'local';
  /** Absolute. */
  path: string;
}

export interface S3Address {
  kind: 's3';
  bucket: string;
  /** What the keys of its objects begin with, without a `/` at its ends; may be empty. */
  prefix: string;
}

export const STORE_NOTATION = 'a path, a file:// URL or s3://bucket/prefix';

/** Two letters at least, so that a drive's letter is none. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[\w=+@.-]+(?:\/[\w=+@.-]+)*$/;
const LONGEST_PREFIX = 400;

/**
 * The place that a `store:` names, or what is wrong with it. A relative path is relative to `directory`, the plan's.
 * The message never repeats the text, which may hold credentials.
 */
export function parseStore(store: string, directory: string): LocalPlace | S3Address | { problem: string } {
  const scheme = SCHEME.exec(store)?.[1]?.toLowerCase();
  if (scheme === 'file') return parseFileUrl(store);
  if (scheme === 's3') return parseS3Url(store);
  if (scheme !== undefined) {
    const supported = isUnsupportedScheme(scheme) ? NOT_SUPPORTED : 'not a store';
    return { problem: `a store at ${scheme}: is ${supported}; expected ${STORE_NOTATION}` };
  }
  if (store.trim() === '') return { problem: `the store is empty; expected ${STORE_NOTATION}` };
  if (store.includes('\0')) return { problem: 'a path holds no zero byte' };
  if (store.startsWith('~')) return { problem: '"~" is not expanded; expected an absolute path' };
  return { kind: 'local', path: resolve(directory, store) };
}

function parseFileUrl(store: string): LocalPlace | { problem: string } {
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

function parseS3Url(store: string): S3Address | { problem: string } {
  const expected = 'expected s3://bucket/prefix, and the endpoint under "s3"';
  const [, bucket = '', rest = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(store) ?? [];
  if (bucket.includes('@')) {
    return {
      problem: `credentials are never written in the plan, they come from where AWS's tools take them; ${expected}`,
    };
  }
  if (!BUCKET.test(bucket)) return { problem: `not the name of a bucket; ${expected}` };
  const prefix = rest.replace(/\/$/, '');
  const isPrefix = PREFIX.test(prefix) && prefix.length <= LONGEST_PREFIX && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(prefix);
  if (prefix !== '' && !isPrefix) {
    return { problem: 'not a prefix; expected parts of letters, digits and "_=+@.-" between single "/"' };
  }
  return { kind: 's3', bucket, prefix };
}
