import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { type Content, DecoratedStore, type ObjectStore, type PutOptions } from '../index.ts';

/** One version of an object; one without bytes is a marker that hides those before it. */
interface Version {
  id: string;
  bytes: Uint8Array | undefined;
  lockedUntilMs: number;
}

/**
 * A store with versions and object lock, as S3 has them: a deletion hides an object behind a marker and a put behind a newer
 * version, locked or not; a version itself cannot be removed while it is locked. For tests.
 */
export class LockingStore extends DecoratedStore {
  readonly #clock: Clock;
  readonly #versions = new Map<string, Version[]>();
  #made = 0;

  constructor(inner: ObjectStore, clock: Clock) {
    super(inner);
    this.#clock = clock;
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    await super.put(key, content, options);
    this.#add(key, await super.get(key));
  }

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    if (this.versions(key).at(-1)?.bytes !== undefined) this.#add(key, undefined);
  }

  /** Oldest first, with markers. */
  versions(key: string): readonly Readonly<Version>[] {
    return this.#versions.get(key) ?? [];
  }

  /** Locks the newest version, or extends its lock. A lock is never made shorter. */
  lock(key: string, untilMs: number): void {
    const newest = this.#versions.get(key)?.at(-1);
    if (newest?.bytes === undefined) throw new HoldfastError('object-missing', `${key} is not there to be locked`);
    newest.lockedUntilMs = Math.max(newest.lockedUntilMs, untilMs);
  }

  /** Removes one version, or a marker. What was hidden by it is there again. @throws permission-denied while it is locked */
  async deleteVersion(key: string, id: string): Promise<void> {
    const versions = this.#versions.get(key) ?? [];
    const version = versions.find((each) => each.id === id);
    if (version === undefined) return;
    if (version.lockedUntilMs > this.#clock.nowMs()) {
      throw new HoldfastError('permission-denied', `version ${id} of ${key} is locked`);
    }
    versions.splice(versions.indexOf(version), 1);
    const newest = versions.at(-1);
    if (newest?.bytes === undefined) await super.delete(key);
    else await super.put(key, newest.bytes);
  }

  #add(key: string, bytes: Uint8Array | undefined): void {
    const versions = this.#versions.get(key) ?? [];
    versions.push({ id: `v${++this.#made}`, bytes, lockedUntilMs: 0 });
    this.#versions.set(key, versions);
  }
}
