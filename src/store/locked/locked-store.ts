import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type Content,
  DecoratedStore,
  type LockMode,
  type ObjectLock,
  type ObjectStore,
  type ObjectVersion,
  type PutOptions,
} from '../index.ts';

export interface LockRule {
  mode: LockMode;
  /** For how long what is put is locked. */
  forMs: number;
  clock: Clock;
  /** What is locked; all else must be removable at any time. */
  isLocked(key: string): boolean;
  /** What is removed while it is locked: its versions stay until somebody clears them away. */
  isRemovedLocked(key: string): boolean;
}

/**
 * Locks what is put, from its first instant on. A deletion removes all versions of an object, where that is allowed: they
 * would pile up.
 */
export class LockedStore extends DecoratedStore {
  readonly #rule: LockRule;
  readonly #lock: ObjectLock;
  #mayRemoveVersions = true;

  /** @throws store-unsuitable where the kind of store has no locks */
  constructor(inner: ObjectStore, rule: LockRule) {
    super(inner);
    if (inner.lock === undefined) {
      throw new HoldfastError('store-unsuitable', `nothing can be locked in ${inner.location}`, {
        hint: 'Take `lock` out of the plan, or use a bucket with object lock.',
        context: { store: inner.location },
      });
    }
    this.#lock = inner.lock;
    this.#rule = rule;
  }

  override async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    const { mode, forMs, clock } = this.#rule;
    if (!this.#rule.isLocked(key)) return super.put(key, content, options);
    await super.put(key, content, { ...options, retention: { mode, untilMs: clock.nowMs() + forMs } });
  }

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    if (this.#rule.isRemovedLocked(key) || !this.#mayRemoveVersions) return;
    try {
      const versions: ObjectVersion[] = [];
      for await (const version of this.#lock.listVersions(key)) versions.push(version);
      for (const version of versions.toReversed()) await this.#lock.removeVersion(version);
    } catch (error) {
      // Then they stay: for a reader the object is gone all the same.
      if (!isHoldfastError(error, 'permission-denied')) throw error;
      this.#mayRemoveVersions = this.#rule.isLocked(key);
    }
  }

  override makePlace(): Promise<void> {
    return super.makePlace({ lock: true });
  }
}
