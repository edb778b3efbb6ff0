import type { SealedObject } from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';

/**
 * A directory of this machine where the log waits while its repository is away, sealed as it will be there. What lies
 * here is not acknowledged to the server; but should that remove its log, it is not lost.
 */
export class Spool {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #limitBytes: number;
  readonly #sizes = new Map<string, number>();

  private constructor(store: ObjectStore, prefix: string, limitBytes: number) {
    this.#store = store;
    this.#prefix = prefix;
    this.#limitBytes = limitBytes;
  }

  /**
   * With what an earlier run left there.
   * @param prefix what the keys of the source's objects begin with
   */
  static async open(store: ObjectStore, prefix: string, limitBytes: number): Promise<Spool> {
    const spool = new Spool(store, prefix, limitBytes);
    for await (const { key, sizeBytes } of store.list(spool.#prefix)) spool.#sizes.set(key, sizeBytes);
    return spool;
  }

  /** In the order of the log. */
  get keys(): string[] {
    return [...this.#sizes.keys()].sort();
  }

  get bytes(): number {
    return [...this.#sizes.values()].reduce((sum, each) => sum + each, 0);
  }

  hasRoomFor({ sealed }: SealedObject): boolean {
    return this.bytes + sealed.length <= this.#limitBytes;
  }

  /** Resolves once it is durable. @throws disk-full and whatever else keeps a disk from taking it */
  async add({ key, sealed }: SealedObject): Promise<void> {
    await this.#store.put(key, sealed);
    this.#sizes.set(key, sealed.length);
  }

  async read(key: string): Promise<SealedObject> {
    return { key, sealed: Buffer.from(await this.#store.get(key)) };
  }

  async remove(key: string): Promise<void> {
    await this.#store.delete(key);
    this.#sizes.delete(key);
  }
}
