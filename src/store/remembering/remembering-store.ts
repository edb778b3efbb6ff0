import { createHash } from 'node:crypto';
import { type ByteRange, DecoratedStore, type ObjectStore, type Use } from '../index.ts';

/** What is read again and again, and never changes: restic's name for the snapshots. */
const KEPT_PREFIX = 'snapshots/';
const KEPT = /^snapshots\/[0-9a-f]{64}$/;
/** A larger object takes so long to decode that reading it is the least of it. */
const LARGEST_BYTES = 64 * 1024;
/** So much is kept of each repository: the snapshots of a source that is backed up hourly for months. */
export const REMEMBERED_BYTES = 8 * 1024 * 1024;

/**
 * Keeps small objects that are named by their content in memory, for a process that reads them again and again: a daemon whose
 * backups follow one another in a directory of this machine reads what is new alone. Listings, and whether an object is there,
 * always come from the store; what a listing of names does not show any more is forgotten. Files are read past it: `fileOf`.
 */
export class RememberingStore extends DecoratedStore {
  readonly fileOf?: (key: string) => string;
  readonly names?: (prefix: string) => Promise<string[]>;
  readonly #limitBytes: number;
  /** By key, the one that was kept first at the front. */
  readonly #contents = new Map<string, Uint8Array>();
  #contentBytes = 0;

  constructor(inner: ObjectStore, limitBytes = REMEMBERED_BYTES) {
    super(inner);
    this.#limitBytes = limitBytes;
    if (inner.fileOf !== undefined) this.fileOf = inner.fileOf.bind(inner);
    const names = inner.names?.bind(inner);
    if (names !== undefined) this.names = (prefix) => this.#named(prefix, names);
  }

  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    if (range !== undefined || !KEPT.test(key)) return super.get(key, range, use);
    const kept = this.#contents.get(key);
    // The caller may change the buffer, or give it away.
    if (kept !== undefined) return Uint8Array.from(kept);
    const bytes = await super.get(key, range, use);
    if (bytes.byteLength <= LARGEST_BYTES && isNamedBy(key, bytes)) this.#keep(key, Uint8Array.from(bytes));
    return bytes;
  }

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    this.#forget(key);
  }

  async #named(prefix: string, namesOf: (prefix: string) => Promise<string[]>): Promise<string[]> {
    const names = await namesOf(prefix);
    if (prefix !== KEPT_PREFIX) return names;
    const shown = new Set(names);
    for (const key of this.#contents.keys()) if (!shown.has(key)) this.#forget(key);
    return names;
  }

  #keep(key: string, bytes: Uint8Array): void {
    if (this.#contents.has(key)) return;
    this.#contents.set(key, bytes);
    this.#contentBytes += bytes.byteLength;
    for (const oldest of this.#contents.keys()) {
      if (this.#contentBytes <= this.#limitBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#contentBytes -= this.#contents.get(key)?.byteLength ?? 0;
    this.#contents.delete(key);
  }
}

function isNamedBy(key: string, bytes: Uint8Array): boolean {
  return createHash('sha256').update(bytes).digest('hex') === key.slice(key.lastIndexOf('/') + 1);
}
