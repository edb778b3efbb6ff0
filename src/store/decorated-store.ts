import { HoldfastError } from '../foundation/errors.ts';
import type { ObjectLock } from './object-lock.ts';
import type { Content, ObjectStore, PutOptions, RecallRequest, StoreCapabilities, Use } from './object-store.ts';
import type { ByteRange, StoredObject } from './stored-object.ts';

/**
 * A store that hands every call to another one: for what changes some of them. `fileOf` is not handed on, since whoever
 * reads files by themselves goes past every decorator.
 */
export class DecoratedStore implements ObjectStore {
  protected readonly inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.inner = inner;
  }

  get location(): string {
    return this.inner.location;
  }

  get stagingDirectory(): string | undefined {
    return this.inner.stagingDirectory;
  }

  capabilities(): Promise<StoreCapabilities> {
    return this.inner.capabilities();
  }

  put(key: string, content: Content, options?: PutOptions): Promise<void> {
    return this.inner.put(key, content, options);
  }

  get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    return this.inner.get(key, range, use);
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    return this.inner.list(prefix);
  }

  stat(key: string): Promise<StoredObject | undefined> {
    return this.inner.stat(key);
  }

  delete(key: string): Promise<void> {
    return this.inner.delete(key);
  }

  async recall(key: string, request: RecallRequest): Promise<void> {
    if (this.inner.recall === undefined)
      throw new HoldfastError('internal', `${this.location} is never asked for ${key}`);
    await this.inner.recall(key, request);
  }

  async makePlace(options?: { lock?: boolean }): Promise<void> {
    await this.inner.makePlace?.(options);
  }

  get lock(): ObjectLock | undefined {
    return this.inner.lock;
  }
}
