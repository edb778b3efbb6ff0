import { readFileSync, rmSync } from 'node:fs';
import { HoldfastError } from '../../foundation/errors.ts';
import { type ByteRange, type Content, isObjectKey, type ObjectStore, type StoredObject, type Use } from '../index.ts';

/** Objects in this process's memory: for tests. `objects` may be looked at and tampered with. */
export class MemoryStore implements ObjectStore {
  readonly location = 'memory';
  readonly stagingDirectory = undefined;
  readonly objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();

  async capabilities() {
    return { conditionalPut: true, consistentListing: true };
  }

  async put(key: string, content: Content, options: { ifAbsent?: boolean } = {}): Promise<void> {
    this.#check(key);
    const bytes = ownBytes(content);
    if (options.ifAbsent && this.objects.has(key)) throw new HoldfastError('object-exists', `${key} is there already`);
    this.objects.set(key, { bytes, modifiedMs: Date.now() });
  }

  async get(key: string, range?: ByteRange, { into }: Use = {}): Promise<Uint8Array> {
    this.#check(key);
    const object = this.objects.get(key);
    if (object === undefined) throw new HoldfastError('object-missing', `${key} is not in memory`);
    const { offset, length } = range ?? { offset: 0, length: object.bytes.byteLength };
    if (offset + length > object.bytes.byteLength) {
      throw new HoldfastError(
        'repository-damaged',
        `${key} in memory is damaged: it ends before byte ${offset + length}`,
      );
    }
    const bytes = object.bytes.subarray(offset, offset + length);
    if (into === undefined || into.length < length) return new Uint8Array(bytes);
    into.set(bytes);
    return into.subarray(0, length);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const [key, { bytes, modifiedMs }] of [...this.objects]) {
      if (key.startsWith(prefix)) yield { key, sizeBytes: bytes.byteLength, modifiedMs };
    }
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    this.#check(key);
    const object = this.objects.get(key);
    return object && { key, sizeBytes: object.bytes.byteLength, modifiedMs: object.modifiedMs };
  }

  async delete(key: string): Promise<void> {
    this.#check(key);
    this.objects.delete(key);
  }

  #check(key: string): void {
    if (!isObjectKey(key)) throw new HoldfastError('internal', `${JSON.stringify(key)} is no object key`);
  }
}

function ownBytes(content: Content): Uint8Array {
  // Not slice(): a Buffer's gives a view of the same memory.
  if (content instanceof Uint8Array) return new Uint8Array(content);
  const bytes = readFileSync(content.file);
  rmSync(content.file);
  return bytes;
}
