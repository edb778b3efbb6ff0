import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
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
import type { FailedCall } from './s3-error.ts';

export type Call = Pick<FailedCall, 'what' | 'permission'> & { key?: string };

/** What the store that the lock is of lends it. */
export interface S3Access {
  readonly location: string;
  readonly bucket: string;
  /** What all paths begin with: empty, or ending in `/`. */
  readonly root: string;
  readonly listPageSize: number | undefined;
  /** The path of a key. @throws internal for what is no key */
  path(key: string): string;
  call<T>(call: Call, send: (client: S3Client) => Promise<T>): Promise<T>;
  read(version: VersionId, range: ByteRange | undefined): Promise<Uint8Array>;
}

/** What servers answer where something has no lock. */
const NOT_LOCKED = ['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError'];
const MODES: Readonly<Record<LockMode, 'GOVERNANCE' | 'COMPLIANCE'>> = {
  governance: 'GOVERNANCE',
  compliance: 'COMPLIANCE',
};

/** The headers of a put that locks what it makes. */
export function lockHeaders(retention: Retention | undefined) {
  if (retention === undefined) return {};
  return { ObjectLockMode: MODES[retention.mode], ObjectLockRetainUntilDate: retainUntil(retention) };
}

/** Object Lock and versions of a bucket of S3. */
export class S3Lock implements ObjectLock {
  readonly #access: S3Access;

  constructor(access: S3Access) {
    this.#access = access;
  }

  async state(): Promise<LockState> {
    const { bucket, location } = this.#access;
    const versioning = { what: `look at the versioning of ${location}`, permission: 's3:GetBucketVersioning' };
    const { Status } = await this.#access.call(versioning, (client) =>
      client.send(new GetBucketVersioningCommand({ Bucket: bucket })),
    );
    const locking = { what: `look at the lock of ${location}`, permission: 's3:GetBucketObjectLockConfiguration' };
    const locks = await this.#access.call(locking, async (client) => {
      try {
        const command = new GetObjectLockConfigurationCommand({ Bucket: bucket });
        const { ObjectLockConfiguration } = await client.send(command);
        return ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
      } catch (error) {
        if (isNotLocked(error)) return false;
        throw error;
      }
    });
    return { keepsVersions: Status === 'Enabled', locks };
  }

  async extend(version: VersionId, retention: Retention): Promise<void> {
    try {
      await this.#setRetention(version, retention);
    } catch (error) {
      if (!isHoldfastError(error, 'permission-denied')) throw error;
      // Refused, too, is what would make the lock shorter or weaker: then what it has is kept, and what is more is added.
      const before = await this.lockOf(version);
      if (before === undefined) throw error;
      const mode = before.mode === 'compliance' ? before.mode : retention.mode;
      const untilMs = Math.max(before.untilMs, retention.untilMs);
      if (mode === before.mode && untilMs === before.untilMs) return;
      if (mode === before.mode && untilMs === retention.untilMs && mode === retention.mode) throw error;
      if (mode === before.mode) await this.#setRetention(version, { mode, untilMs });
      else await this.#makeStricter(version, { mode, untilMs }, before);
    }
  }

  /** Some servers count a stricter mode as one that lifts the lock first, which needs a permission of its own. */
  async #makeStricter(version: VersionId, wanted: Retention, before: Retention): Promise<void> {
    try {
      await this.#setRetention(version, wanted, { bypass: true });
    } catch (error) {
      if (!isHoldfastError(error, 'permission-denied')) throw error;
      await this.#setRetention(version, { ...wanted, mode: before.mode });
    }
  }

  async #setRetention({ key, id }: VersionId, retention: Retention, { bypass = false } = {}): Promise<void> {
    const call = { what: `lock ${key} in ${this.#access.location}`, permission: 's3:PutObjectRetention', key };
    const command = new PutObjectRetentionCommand({
      Bucket: this.#access.bucket,
      Key: this.#access.path(key),
      VersionId: id,
      Retention: { Mode: MODES[retention.mode], RetainUntilDate: retainUntil(retention) },
      ...(bypass ? { BypassGovernanceRetention: true } : {}),
    });
    await this.#access.call(call, (client) => client.send(command));
  }

  async lockOf({ key, id }: VersionId): Promise<Retention | undefined> {
    const { bucket, location } = this.#access;
    const call = { what: `look up the lock of ${key} in ${location}`, permission: 's3:GetObjectRetention', key };
    const command = new GetObjectRetentionCommand({ Bucket: bucket, Key: this.#access.path(key), VersionId: id });
    const answer = await this.#access.call(call, (client) =>
      client.send(command).catch((error: unknown) => {
        if (isNotLocked(error)) return undefined;
        throw error;
      }),
    );
    const { Mode, RetainUntilDate } = answer?.Retention ?? {};
    if (RetainUntilDate === undefined) return undefined;
    return { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance', untilMs: RetainUntilDate.getTime() };
  }

  async *listVersions(prefix: string): AsyncIterable<ObjectVersion> {
    const { bucket, location, root, listPageSize } = this.#access;
    const call = { what: `list versions of ${prefix || 'all'} in ${location}`, permission: 's3:ListBucketVersions' };
    let next: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | undefined = {};
    while (next !== undefined) {
      const page: ListObjectVersionsCommandOutput = await this.#access.call(call, (client) =>
        client.send(
          new ListObjectVersionsCommand({
            Bucket: bucket,
            Prefix: `${root}${prefix}`,
            ...(listPageSize === undefined ? {} : { MaxKeys: listPageSize }),
            ...next,
          }),
        ),
      );
      for (const version of versionsOf(page, root)) {
        if (prefix === '' || prefix.endsWith('/') || version.key === prefix) yield version;
      }
      const marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
      const isStuck = marker.KeyMarker === next.KeyMarker && marker.VersionIdMarker === next.VersionIdMarker;
      if (page.IsTruncated && (marker.KeyMarker === undefined || isStuck)) {
        throw new HoldfastError('store-failed', `cannot ${call.what}: the server does not say how it goes on`);
      }
      next = page.IsTruncated ? marker : undefined;
    }
  }

  getVersion(version: VersionId, range?: ByteRange): Promise<Uint8Array> {
    return this.#access.read(version, range);
  }

  async removeVersion({ key, id }: VersionId, { bypass = false }: { bypass?: boolean } = {}): Promise<void> {
    const permission = bypass ? 's3:BypassGovernanceRetention' : 's3:DeleteObjectVersion';
    const call = { what: `remove a version of ${key} in ${this.#access.location}`, permission, key };
    const command = new DeleteObjectCommand({
      Bucket: this.#access.bucket,
      Key: this.#access.path(key),
      VersionId: id,
      ...(bypass ? { BypassGovernanceRetention: true } : {}),
    });
    try {
      await this.#access.call(call, (client) => client.send(command));
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
    }
  }
}

function isNotLocked(error: unknown): boolean {
  const { name = '', Code = name } = error as { name?: string; Code?: string };
  return NOT_LOCKED.includes(Code);
}

/** S3 knows whole seconds. */
function retainUntil({ untilMs }: Retention): Date {
  return new Date(Math.ceil(untilMs / 1000) * 1000);
}

/** Versions and markers come apart: put together again, those of an object newest first. */
function versionsOf({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput, root: string) {
  const all = [...Versions, ...DeleteMarkers.map((marker) => ({ ...marker, isMarker: true }))];
  const byKey = new Map<string, ObjectVersion[]>();
  for (const listed of all) {
    const { Key = '', VersionId = 'null', LastModified, IsLatest = false } = listed;
    const key = Key.slice(root.length);
    if (!Key.startsWith(root) || !isObjectKey(key)) continue;
    const { Size = 0, ETag: tag, isMarker = false } = listed as { Size?: number; ETag?: string; isMarker?: boolean };
    const versions = byKey.get(key) ?? [];
    versions.push({
      ...{ key, id: VersionId, sizeBytes: Size, modifiedMs: LastModified?.getTime() ?? 0 },
      ...{ isMarker, isNewest: IsLatest, ...(tag !== undefined && { tag }) },
    });
    byKey.set(key, versions);
  }
  const newestFirst = (a: ObjectVersion, b: ObjectVersion): number =>
    Number(b.isNewest) - Number(a.isNewest) || b.modifiedMs - a.modifiedMs;
  return [...byKey.values()].flatMap((versions) => versions.sort(newestFirst));
}
