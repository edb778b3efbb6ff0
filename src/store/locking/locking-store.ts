import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  type ObjectLock,
  type ObjectStore,
  type ObjectVersion,
  type PutOptions,
  type Retention,
  type VersionId,
} from '../index.ts';

/** One version of an object; one without bytes is a marker that hides those before it. */
interface Version {
  id: string;
  bytes: Uint8Array | undefined;
  modifiedMs: number;
  retention: Retention | undefined;
}

/**
 * A store with versions and object lock, as S3 has them: a deletion hides an object behind a marker and a put behind a newer
 * version, locked or not; a version itself cannot be removed while it is locked. For tests.
 */
export class LockingStore extends DecoratedStore {
  readonly #clock: Clock;
  /** By key, oldest first. */
  readonly #versions = new Map<string, Version[]>();
  #made = 0;
  /** Whether these credentials may lift a lock of mode governance. */
  mayBypass = false;

  constructor(inner: ObjectStore, clock: Clock) {
    super(inner);
    this.#clock = clock;
  }

  override async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    await super.put(key, content, options);
    this.#add(key, await super.get(key), options.retention);
  }

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    if (this.#versions.get(key)?.at(-1)?.bytes !== undefined) this.#add(key, undefined);
  }

  override get lock(): ObjectLock {
    return {
      state: async () => ({ keepsVersions: true, locks: true }),
      extend: async (version, retention) => this.#extend(this.#find(version), retention),
      lockOf: async (version) => this.#find(version).retention,
      listVersions: (prefix) => this.#list(prefix),
      getVersion: async (version, range) => partOf(version, this.#find(version).bytes!, range),
      removeVersion: (version, options) => this.#remove(version, options?.bypass === true && this.mayBypass),
    };
  }

  #extend(version: Version, { mode, untilMs }: Retention): void {
    const before = version.retention;
    const isStrict = mode === 'compliance' || before?.mode === 'compliance';
    version.retention = {
      mode: isStrict ? 'compliance' : 'governance',
      untilMs: Math.max(untilMs, before?.untilMs ?? 0),
    };
  }

  /** A version with bytes. */
  #find({ key, id }: VersionId): Version {
    const version = this.#versions.get(key)?.find((each) => each.id === id);
    if (version?.bytes !== undefined) return version;
    throw new HoldfastError('object-missing', `version ${id} of ${key} is not in ${this.location}`);
  }

  async *#list(prefix: string): AsyncIterable<ObjectVersion> {
    for (const [key, versions] of [...this.#versions]) {
      const isAsked = prefix === '' || prefix.endsWith('/') ? key.startsWith(prefix) : key === prefix;
      if (!isAsked) continue;
      for (const { id, bytes, modifiedMs } of versions.toReversed()) {
        const isNewest = versions.at(-1)?.id === id;
        yield { key, id, sizeBytes: bytes?.byteLength ?? 0, modifiedMs, isMarker: bytes === undefined, isNewest };
      }
    }
  }

  async #remove({ key, id }: VersionId, bypass: boolean): Promise<void> {
    const versions = this.#versions.get(key) ?? [];
    const version = versions.find((each) => each.id === id);
    if (version === undefined) return;
    const { mode, untilMs = 0 } = version.retention ?? {};
    if (untilMs > this.#clock.nowMs() && !(bypass && mode === 'governance')) {
      throw new HoldfastError('permission-denied', `version ${id} of ${key} is locked`);
    }
    versions.splice(versions.indexOf(version), 1);
    const newest = versions.at(-1);
    if (newest?.bytes === undefined) await super.delete(key);
    else await super.put(key, newest.bytes);
  }

  #add(key: string, bytes: Uint8Array | undefined, retention?: Retention): void {
    const versions = this.#versions.get(key) ?? [];
    versions.push({ id: `v${++this.#made}`, bytes, modifiedMs: this.#clock.nowMs(), retention });
    this.#versions.set(key, versions);
  }
}

function partOf({ key, id }: VersionId, bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  const { offset, length } = range ?? { offset: 0, length: bytes.byteLength };
  if (offset + length > bytes.byteLength) {
    throw new HoldfastError(
      'repository-damaged',
      `version ${id} of ${key} is damaged: it ends before byte ${offset + length}`,
    );
  }
  return new Uint8Array(bytes.subarray(offset, offset + length));
}
