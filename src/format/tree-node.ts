/**
 * One entry of a restic tree, as JSON has it.
 *
 * Text that came from a file system (names, link targets) is held as a *byte string*: one character per byte, U+0000 to
 * U+00FF, so that names of any bytes survive. Convert with `byteString` and `bytesOf`.
 *
 * Source: restic's design document, "Trees and Data", and its `restic.Node`.
 */
export interface TreeNode {
  /** A byte string, never empty, `.`, `..`, nor with `/` or NUL in it (checked when a tree is read). */
  name: string;
  type: NodeType;
  /** Go's FileMode, not the system's: see `goMode`. */
  mode?: number;
  /** RFC 3339 with up to nanoseconds. */
  mtime?: string;
  atime?: string;
  ctime?: string;
  uid?: number;
  gid?: number;
  user?: string;
  group?: string;
  /** A number where it is exact, else a bigint. */
  inode?: number | bigint;
  device_id?: number | bigint;
  size?: number | bigint;
  links?: number | bigint;
  /** A byte string. */
  linktarget?: string;
  device?: number | bigint;
  /** See `encodeAttribute`. */
  extended_attributes?: { name: string; name_raw?: string; value: string | null }[];
  /** Blob ids (hex) of a file's content in order; `null` for what has none. */
  content: string[] | null;
  /** Id (hex) of the tree of a directory. */
  subtree?: string;
  /** What this version does not know but must keep. */
  unknown?: Record<string, unknown>;
}

export type NodeType = 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo' | 'socket' | 'irregular';

/** The byte string of `bytes`. */
export function byteString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The byte string of text, in UTF-8. */
export function byteStringOfText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The bytes of a byte string. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** A byte string as text for people: UTF-8 where it is, with escapes where it is not. */
export function displayName(text: string): string {
  const bytes = bytesOf(text);
  const decoded = bytes.toString('utf8');
  const escaped = (character: string): string =>
    character === '\\' ? '\\\\' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  // biome-ignore-start lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a terminal
  if (!Buffer.from(decoded, 'utf8').equals(bytes)) return text.replace(/[\u0000-\u001f\u007f-\u00ff\\]/g, escaped);
  return decoded.replace(/[\u0000-\u001f\u007f-\u009f\\]/g, escaped);
  // biome-ignore-end lint/suspicious/noControlCharactersInRegex: above
}
