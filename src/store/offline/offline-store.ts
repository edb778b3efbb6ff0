import { HoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  type PutOptions,
  type RecallRequest,
  type StoredObject,
  type Use,
} from '../index.ts';

/** A store whose bulk objects must be asked for before they are read, as those of a cold class. For tests. */
export class OfflineStore extends DecoratedStore {
  /** What was asked for, in order. */
  readonly asked: (RecallRequest & { key: string })[] = [];
  readonly #bulk = new Set<string>();
  readonly #readable = new Set<string>();

  override async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    await super.put(key, content, options);
    if (options.bulk) this.#bulk.add(key);
  }

  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    if (this.#isOffline(key)) throw new HoldfastError('object-offline', `${key} in ${this.location} is offline`);
    return super.get(key, range, use);
  }

  override async stat(key: string): Promise<StoredObject | undefined> {
    const object = await super.stat(key);
    if (object === undefined || !this.#isOffline(key)) return object;
    return { ...object, offline: this.asked.some((each) => each.key === key) ? 'asked' : 'unasked' };
  }

  override async recall(key: string, request: RecallRequest): Promise<void> {
    if (!this.asked.some((each) => each.key === key)) this.asked.push({ key, ...request });
  }

  /** What has been asked for can be read from here on. */
  arrive(): void {
    for (const { key } of this.asked) this.#readable.add(key);
  }

  /** The keys of what cannot be read now. */
  get offlineKeys(): string[] {
    return [...this.#bulk].filter((key) => this.#isOffline(key));
  }

  #isOffline(key: string): boolean {
    return this.#bulk.has(key) && !this.#readable.has(key);
  }
}
