import type { Clock } from '../../foundation/clock.ts';
import type { Pause } from '../../foundation/pause.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  lockThrough,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type Use,
} from '../index.ts';
import { TokenBucket } from './token-bucket.ts';

/** Bytes a second. What is not given is not limited. */
export interface Bandwidth {
  upload?: number;
  download?: number;
}

/** What is so small is counted and never waits: a lock must be refreshed in time, whatever else is under way. */
const NEVER_WAITS_BYTES = 64 * 1024;

/**
 * Holds uploads and downloads to a rate, each as a whole. Objects and ranges are paced, not the bytes in them: one goes as
 * fast as it can, and the next waits until the average is right again.
 */
export class BandwidthStore extends DecoratedStore {
  readonly #upload: TokenBucket | undefined;
  readonly #download: TokenBucket | undefined;

  constructor(inner: ObjectStore, { upload, download }: Bandwidth, time: { clock: Clock; pause: Pause }) {
    super(inner);
    this.#upload = upload === undefined ? undefined : new TokenBucket(upload, time);
    this.#download = download === undefined ? undefined : new TokenBucket(download, time);
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    await takeFrom(this.#upload, content instanceof Uint8Array ? content.byteLength : content.sizeBytes);
    await super.put(key, content, options);
  }

  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    if (range !== undefined) await takeFrom(this.#download, range.length);
    const bytes = await super.get(key, range, use);
    // How large a whole object is shows only now: whoever comes next waits for it.
    if (range === undefined) this.#download?.charge(bytes.byteLength);
    return bytes;
  }

  override get lock(): ObjectLock | undefined {
    const { lock } = this.inner;
    const request = async <T>(_method: string, work: () => Promise<T>): Promise<T> => {
      const result = await work();
      if (result instanceof Uint8Array) this.#download?.charge(result.byteLength);
      return result;
    };
    return lock && lockThrough(lock, { request, listing: (begin) => begin() });
  }
}

async function takeFrom(bucket: TokenBucket | undefined, bytes: number): Promise<void> {
  if (bytes <= NEVER_WAITS_BYTES) bucket?.charge(bytes);
  else await bucket?.take(bytes);
}
