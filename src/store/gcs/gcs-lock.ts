import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  isObjectKey,
  type LockMode,
  type LockState,
  type ObjectLock,
  type ObjectVersion,
  type Retention,
  type VersionId,
} from '../index.ts';
import { type GcsAnswer, type GcsRequest, jsonBody } from './gcs-client.ts';
import type { FailedCall } from './gcs-error.ts';

export type Call = Pick<FailedCall, 'what' | 'permission'> & { key?: string };

/** An object as the service describes it; numbers of 64 bits are texts. */
export interface ObjectResource {
  kind: 'storage#object';
  name?: string;
  generation?: string;
  size?: string;
  md5Hash?: string;
  timeCreated?: string;
  /** When it ceased to be the live one. */
  timeDeleted?: string;
  contentType?: string;
  storageClass?: string;
  retention?: RetentionResource;
}

export interface ObjectPage {
  kind: 'storage#objects';
  items?: ObjectResource[];
  nextPageToken?: string;
}

interface RetentionResource {
  mode: 'Unlocked' | 'Locked';
  retainUntilTime: string;
}

interface BucketResource {
  kind: 'storage#bucket';
  versioning?: { enabled?: boolean };
  objectRetention?: { mode?: string };
}

interface RewriteResource {
  kind: 'storage#rewriteResponse';
  done?: boolean;
  rewriteToken?: string;
}

/** What the store that the lock is of lends it. */
export interface GcsAccess {
  readonly location: string;
  /** The path of the bucket. */
  readonly bucketPath: string;
  /** What all names begin with: empty, or ending in `/`. */
  readonly root: string;
  /** The path of an object. @throws internal for what is no key */
  objectPath(key: string): string;
  send(call: Call, request: GcsRequest): Promise<GcsAnswer>;
  ask<T extends { kind: string }>(call: Call, request: GcsRequest, kind: T['kind']): Promise<T>;
  pages(call: Call, query: NonNullable<GcsRequest['query']>): AsyncIterable<ObjectPage>;
  read(version: VersionId, range: ByteRange | undefined): Promise<Uint8Array>;
}

const MODES: Readonly<Record<LockMode, RetentionResource['mode']>> = { governance: 'Unlocked', compliance: 'Locked' };
/** What the id of a marker begins with; the generation that it stands before follows. */
const MARKER = 'deleted-';
const VERSION_FIELDS = 'kind,items(kind,name,generation,size,md5Hash,timeCreated,timeDeleted),nextPageToken';

/** How a put says that what it makes is locked. */
export function retentionResource({ mode, untilMs }: Retention): RetentionResource {
  return { mode: MODES[mode], retainUntilTime: new Date(untilMs).toISOString() };
}

export function retentionOf({ retention }: ObjectResource): Retention | undefined {
  if (retention === undefined) return undefined;
  const mode = retention.mode === 'Locked' ? 'compliance' : 'governance';
  return { mode, untilMs: Date.parse(retention.retainUntilTime) };
}

/**
 * Object Retention Lock and Object Versioning of a bucket: versions are generations. Where all generations of an object are
 * noncurrent, which the service has no marker for, one is told of all the same: it goes when the newest is live again.
 *
 * Source: Google Cloud, "Object Retention Lock" and "Object Versioning", in the documentation of Cloud Storage.
 */
export class GcsLock implements ObjectLock {
  readonly #access: GcsAccess;

  constructor(access: GcsAccess) {
    this.#access = access;
  }

  async state(): Promise<LockState> {
    const { location, bucketPath } = this.#access;
    const call = { what: `look at the settings of ${location}`, permission: 'storage.buckets.get' };
    const request: GcsRequest = {
      method: 'GET',
      path: `/storage/v1${bucketPath}`,
      query: { fields: 'kind,versioning,objectRetention' },
    };
    const { versioning, objectRetention } = await this.#access.ask<BucketResource>(call, request, 'storage#bucket');
    return { keepsVersions: versioning?.enabled === true, locks: objectRetention?.mode === 'Enabled' };
  }

  async extend(version: VersionId, retention: Retention): Promise<void> {
    try {
      await this.#patch(version, retention);
    } catch (error) {
      if (!isHoldfastError(error, 'permission-denied') && !isHoldfastError(error, 'store-failed')) throw error;
      // Refused, too, is what would make the lock shorter or weaker: then what it has is kept, and what is more is added.
      const before = await this.lockOf(version);
      if (before === undefined) throw error;
      const mode = before.mode === 'compliance' ? before.mode : retention.mode;
      const untilMs = Math.max(before.untilMs, retention.untilMs);
      const isStricter = mode !== before.mode;
      if (!isStricter && untilMs === before.untilMs) return;
      if (!isStricter && untilMs === retention.untilMs && mode === retention.mode) throw error;
      if (isStricter) await this.#makeStricter(version, { mode, untilMs }, before);
      else await this.#patch(version, { mode, untilMs });
    }
  }

  /** A stricter mode is counted as one that lifts the lock first, which needs a permission of its own. */
  async #makeStricter(version: VersionId, wanted: Retention, before: Retention): Promise<void> {
    try {
      await this.#patch(version, wanted, { isOverriding: true });
    } catch (error) {
      if (!isHoldfastError(error, 'permission-denied')) throw error;
      await this.#patch(version, { ...wanted, mode: before.mode });
    }
  }

  async #patch(version: VersionId, retention: Retention | null, { isOverriding = false } = {}): Promise<void> {
    const { key } = version;
    const setting = 'storage.objects.setRetention and storage.objects.update';
    const permission = isOverriding ? `${setting} and storage.objects.overrideUnlockedRetention` : setting;
    const call = { what: `lock ${key} in ${this.#access.location}`, permission, key };
    const answer = await this.#access.send(call, {
      method: 'PATCH',
      path: this.#access.objectPath(key),
      query: {
        generation: this.#generationOf(version),
        ...(isOverriding ? { overrideUnlockedRetention: 'true' } : {}),
      },
      ...jsonBody({ retention: retention && retentionResource(retention) }),
    });
    answer.body.resume();
  }

  async lockOf(version: VersionId): Promise<Retention | undefined> {
    return retentionOf(await this.#lookUp(version.key, { generation: this.#generationOf(version) }));
  }

  #lookUp(key: string, query: NonNullable<GcsRequest['query']>): Promise<ObjectResource> {
    const call = {
      what: `look up the lock of ${key} in ${this.#access.location}`,
      permission: 'storage.objects.get',
      key,
    };
    const request: GcsRequest = { method: 'GET', path: this.#access.objectPath(key), query };
    return this.#access.ask<ObjectResource>(call, request, 'storage#object');
  }

  async *listVersions(prefix: string): AsyncIterable<ObjectVersion> {
    const { location, root } = this.#access;
    const call = { what: `list versions of ${prefix || 'all'} in ${location}`, permission: 'storage.objects.list' };
    const isWhole = prefix !== '' && !prefix.endsWith('/');
    let own: ObjectResource[] = [];
    for await (const page of this.#access.pages(call, {
      prefix: `${root}${prefix}`,
      versions: 'true',
      fields: VERSION_FIELDS,
    })) {
      for (const object of page.items ?? []) {
        if (isWhole && object.name !== `${root}${prefix}`) continue;
        // They come by name, and each object's by generation.
        if (object.name !== own[0]?.name) {
          yield* versionsOf(own, root);
          own = [];
        }
        own.push(object);
      }
    }
    yield* versionsOf(own, root);
  }

  async getVersion(version: VersionId, range?: ByteRange): Promise<Uint8Array> {
    return this.#access.read({ ...version, id: this.#generationOf(version) }, range);
  }

  async removeVersion(version: VersionId, { bypass = false }: { bypass?: boolean } = {}): Promise<void> {
    const { key, id } = version;
    if (id.startsWith(MARKER)) return this.#bringBack(key);
    const permission = bypass ? 'storage.objects.overrideUnlockedRetention' : 'storage.objects.delete';
    const call = { what: `remove a version of ${key} in ${this.#access.location}`, permission, key };
    try {
      const isLive = (await this.#live(key))?.generation === id;
      if (bypass) await this.#patch(version, null, { isOverriding: true });
      const path = this.#access.objectPath(key);
      const answer = await this.#access.send(call, { method: 'DELETE', path, query: { generation: id } });
      answer.body.resume();
      if (isLive) await this.#bringBack(key);
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
    }
  }

  async #live(key: string): Promise<ObjectResource | undefined> {
    try {
      return await this.#lookUp(key, {});
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  /**
   * Where an object has noncurrent generations alone, the newest becomes live again: a copy of it does, locked as it is. No
   * generation can do so itself.
   */
  async #bringBack(key: string): Promise<void> {
    let newest: ObjectVersion | undefined;
    for await (const version of this.listVersions(key)) {
      newest = version;
      if (!version.isMarker) break;
    }
    if (newest === undefined || newest.isNewest) return;
    const { contentType, storageClass, retention } = await this.#lookUp(key, { generation: newest.id });
    const isLocked = retention !== undefined && Date.parse(retention.retainUntilTime) > Date.now();
    const path = this.#access.objectPath(key);
    const call = {
      what: `bring ${key} back in ${this.#access.location}`,
      permission: 'storage.objects.create and storage.objects.setRetention',
      key,
    };
    let rewriteToken: string | undefined;
    do {
      const request: GcsRequest = {
        method: 'POST',
        path: `${path}/rewriteTo${path.slice('/storage/v1'.length)}`,
        query: { sourceGeneration: newest.id, ifGenerationMatch: '0', rewriteToken },
        ...jsonBody({ contentType, storageClass, ...(isLocked ? { retention } : {}) }),
      };
      const rewritten = await this.#access.ask<RewriteResource>(call, request, 'storage#rewriteResponse');
      rewriteToken = rewritten.done === true ? undefined : rewritten.rewriteToken;
      if (rewritten.done !== true && rewriteToken === undefined) {
        throw new HoldfastError('store-failed', `cannot ${call.what}: the server does not say how it goes on`);
      }
    } while (rewriteToken !== undefined);
  }

  /** @throws object-missing for a marker, which is nothing */
  #generationOf({ key, id }: VersionId): string {
    if (/^\d+$/.test(id)) return id;
    throw new HoldfastError('object-missing', `${key} has no version ${id} in ${this.#access.location}`);
  }
}

/** All that is known of one object, given as the service lists it, oldest first. */
function versionsOf(objects: readonly ObjectResource[], root: string): ObjectVersion[] {
  const key = objects[0]?.name?.slice(root.length) ?? '';
  if (!objects[0]?.name?.startsWith(root) || !isObjectKey(key)) return [];
  const versions = objects.toReversed().map(
    ({ generation = '', size, md5Hash, timeCreated, timeDeleted }): ObjectVersion => ({
      ...{ key, id: generation, sizeBytes: Number(size ?? 0), modifiedMs: Date.parse(timeCreated ?? '') || 0 },
      ...{ isMarker: false, isNewest: timeDeleted === undefined, ...(md5Hash !== undefined && { tag: md5Hash }) },
    }),
  );
  const newest = versions[0]!;
  if (newest.isNewest) return versions;
  const modifiedMs = Date.parse(objects.at(-1)?.timeDeleted ?? '') || newest.modifiedMs;
  const marker = { key, id: `${MARKER}${newest.id}`, sizeBytes: 0, modifiedMs, isMarker: true, isNewest: true };
  return [marker, ...versions];
}
