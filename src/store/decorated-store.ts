import type { Content, ObjectStore, PutOptions, StoreCapabilities, StoredObject } from './object-store.ts';

/** A store that hands every call to another one: for what changes some of them. */
export abstract class DecoratedStore implements ObjectStore {
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

  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    return this.inner.get(key, range);
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

  async makePlace(): Promise<void> {
    await this.inner.makePlace?.();
  }
}
