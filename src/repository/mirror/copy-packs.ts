import { hash } from 'node:crypto';
import { sideBySide } from '../../foundation/promises.ts';
import { idOfKey } from '../layout.ts';
import { ReadPool } from '../read/pool.ts';
import { ReadWindow } from '../read/read-window.ts';
import type { DigestAlgorithm } from '../read/worker.ts';
import type { Repository } from '../repository.ts';
import type { SizedKey } from './listings.ts';
import { readAuthentic } from './objects.ts';

/** Packs are large, and each is in memory as a whole: six of restic's size, or many small ones. */
const PACK_WINDOW_BYTES = 102 * 1024 * 1024;
const PARALLEL = 32;

export interface PackTarget {
  primary: Repository;
  /** Asked before each pack. @throws where no more is to be copied */
  assertMayGoOn(): void;
  /** @param md5 of the bytes, in hex: what arrives is held against it */
  put(key: string, bytes: Uint8Array, md5: string): Promise<void>;
}

/**
 * Copies packs through shared memory, in which threads see to it that each is what its name says.
 * @throws repository-damaged for one that is not; the stores' errors
 */
export async function copyPacks(packs: readonly SizedKey[], target: PackTarget): Promise<void> {
  if (packs.length === 0) return;
  await using pool = new ReadPool(target.primary.key);
  // While the first packs come.
  if (packs.length >= pool.threadCount) pool.start();
  const copier = new PackCopier(target, pool);
  await sideBySide(packs, PARALLEL, (pack) => copier.copy(pack));
}

interface ReadPack {
  bytes: Uint8Array;
  /** As the primary's store has it. */
  toldMd5: string | undefined;
}

class PackCopier {
  readonly #target: PackTarget;
  readonly #pool: ReadPool;
  readonly #window = new ReadWindow(PACK_WINDOW_BYTES);
  /** Whether what the primary's store says of the MD5 of packs was right each time that it was looked at: of one at first. */
  #isToldRight: Promise<boolean> | undefined;

  constructor(target: PackTarget, pool: ReadPool) {
    this.#target = target;
    this.#pool = pool;
  }

  async copy([key, sizeBytes]: SizedKey): Promise<void> {
    const region = await this.#window.take(sizeBytes);
    try {
      this.#target.assertMayGoOn();
      await this.#put(key, await this.#read(key, sizeBytes, region.bytes));
    } finally {
      this.#window.give(region);
    }
  }

  async #read(key: string, sizeBytes: number, into: Uint8Array): Promise<ReadPack> {
    const { primary } = this.#target;
    let toldMd5: string | undefined;
    const onMd5 = (md5: string): void => {
      toldMd5 = md5;
    };
    const bytes = await primary.store.get(key, { offset: 0, length: sizeBytes }, { into, onMd5 });
    if ((await this.#digest('sha256', bytes)) === idOfKey(key)) return { bytes, toldMd5 };
    // Read as a whole, it is held against what the store says of it as well, and its damage is told.
    return { bytes: await readAuthentic(primary, primary.store, key), toldMd5: undefined };
  }

  /** What arrives is held against its MD5 by the store. To find that out takes longer than all else here. */
  async #put(key: string, { bytes, toldMd5 }: ReadPack): Promise<void> {
    if (toldMd5 !== undefined) {
      this.#isToldRight ??= this.#digest('md5', bytes).then((md5) => md5 === toldMd5);
      if (await this.#isToldRight) return this.#putAsTold(key, bytes, toldMd5);
    }
    await this.#target.put(key, bytes, await this.#digest('md5', bytes));
  }

  /** Of a single one the primary's store may be wrong all the same. */
  async #putAsTold(key: string, bytes: Uint8Array, toldMd5: string): Promise<void> {
    try {
      await this.#target.put(key, bytes, toldMd5);
    } catch (error) {
      const md5 = await this.#digest('md5', bytes);
      if (md5 === toldMd5) throw error;
      this.#isToldRight = Promise.resolve(false);
      await this.#target.put(key, bytes, md5);
    }
  }

  /** By a thread, where the bytes need not be copied for that. */
  async #digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Promise<string> {
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    return isShared ? this.#pool.digest(algorithm, bytes) : hash(algorithm, bytes, 'hex');
  }
}
