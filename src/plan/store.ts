import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** A bucket of Google Cloud Storage. */
export interface GcsAddress {
  kind: 'gcs';
  bucket: string;
  /** What the names of its objects begin with, without a `/` at its ends; may be empty. */
  prefix: string;
}

export const STORE_NOTATION = 'a path, a file:// URL, s3://bucket/prefix or gs://bucket/prefix';

/** Two letters at least, so that a drive's letter is none. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
/** What is told from others by the scheme alone: what its buckets may be called, and where credentials come from. */
const BUCKETS = {
  s3: {
    kind: 's3',
    tools: "AWS's",
    key: 's3',
    bucket: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    names: '3 to 63 of a-z, 0-9, "." and "-"',
  },
  gs: {
    kind: 'gcs',
    tools: "Google's",
    key: 'gcs',
    bucket: /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
    names: '3 to 222 of a-z, 0-9, ".", "_" and "-"',
  },
} as const;
const PREFIX = /^[\w=+@.-]+(?:\/[\w=+@.-]+)*$/;
const LONGEST_PREFIX = 400;

/**
 * The place that a `store:` names, or what is wrong with it. A relative path is relative to `directory`, the plan's.
 * The message never repeats the text, which may hold credentials.
 */
export function parseStore(
  store: string,
  directory: string,
): LocalPlace | S3Address | GcsAddress | { problem: string } {
  const scheme = SCHEME.exec(store)?.[1]?.toLowerCase();
  if (scheme === 'file') return parseFileUrl(store);
  if (scheme === 's3' || scheme === 'gs') return parseBucketUrl(store, scheme);
  if (scheme !== undefined) return { problem: `a store at ${scheme}: is not a store; expected ${STORE_NOTATION}` };
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

function parseBucketUrl(store: string, scheme: 's3' | 'gs'): S3Address | GcsAddress | { problem: string } {
  const { kind, tools, key, bucket: name, names } = BUCKETS[scheme];
  const expected = `expected ${scheme}://bucket/prefix, and the endpoint under "${key}"`;
  const [, bucket = '', rest = ''] = /^\w+:\/\/([^/]*)(?:\/(.*))?$/s.exec(store) ?? [];
  if (bucket.includes('@')) {
    return {
      problem: `credentials are never written in the plan, they come from where ${tools} tools take them; ${expected}`,
    };
  }
  if (!name.test(bucket)) return { problem: `not the name of a bucket (${names}); ${expected}` };
  const prefix = rest.replace(/\/$/, '');
  const isPrefix = PREFIX.test(prefix) && prefix.length <= LONGEST_PREFIX && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(prefix);
  if (prefix !== '' && !isPrefix) {
    return { problem: 'not a prefix; expected parts of letters, digits and "_=+@.-" between single "/"' };
  }
  return { kind, bucket, prefix };
}
