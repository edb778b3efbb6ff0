import { createHash, type Hash, hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type PutObjectCommandOutput,
  RestoreObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  endsBefore,
  handingOver,
  isObjectKey,
  md5Of,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type RecallRequest,
  readBody,
  type StagedContent,
  type StoredObject,
  sizeOf,
  type Use,
} from '../index.ts';
import { FileBody } from './file-body.ts';
import { RenewedClient } from './renewed-client.ts';
import type { S3StoreOptions } from './s3-client.ts';
import { s3Error } from './s3-error.ts';
import { type Call, lockHeaders, S3Lock } from './s3-lock.ts';

const MD5 = /^"?([0-9a-f]{32})"?$/;
/** The largest object that one request can store. */
const LARGEST_BYTES = 5 * 1024 ** 3;

/**
 * Objects in a bucket of S3 or of a server that speaks it, with credentials of AWS's own chain. Each call is made once:
 * what may be made again says so, as `retryable`. What it claims to be able to is for a probe to confirm.
 */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  return new S3Store(options);
}

class S3Store implements ObjectStore {
  readonly location: string;
  readonly stagingDirectory = undefined;
  readonly lock: ObjectLock;
  readonly #options: S3StoreOptions;
  readonly #client: RenewedClient;

  constructor(options: S3StoreOptions) {
    this.#options = options;
    this.location = `s3://${options.bucket}${options.prefix === '' ? '' : `/${options.prefix}`}`;
    this.#client = new RenewedClient(options);
    this.lock = new S3Lock({
      location: this.location,
      bucket: options.bucket,
      root: this.#root,
      listPageSize: options.listPageSize,
      path: (key) => this.#path(key),
      call: (call, send) => this.#call(call, send),
      read: ({ key, id }, range) => this.#get(key, { range, version: id }),
    });
  }

  async capabilities() {
    return { conditionalPut: true, consistentListing: true };
  }

  async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    const path = this.#path(key);
    await handingOver(content, () => this.#put(path, key, content, options));
  }

  async #put(path: string, key: string, content: Content, { ifAbsent, bulk, md5: given, retention }: PutOptions) {
    const { storageClass, serverSideEncryption, kmsKeyId, bucket } = this.#options;
    const call = { what: `write ${key} in ${this.location}`, permission: 's3:PutObject', key };
    const sizeBytes = sizeOf(content);
    if (sizeBytes > LARGEST_BYTES)
      throw new HoldfastError('store-failed', `cannot ${call.what}: it is larger than 5 GiB`);
    const md5 = given ?? (await md5Of(content, call.what));
    const input: PutObjectCommandInput = {
      Bucket: bucket,
      Key: path,
      ContentLength: sizeBytes,
      ContentMD5: Buffer.from(md5, 'hex').toString('base64'),
      ContentType: 'application/octet-stream',
      ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
      ...lockHeaders(retention),
      ...(bulk && storageClass !== undefined
        ? { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }
        : {}),
      ...(serverSideEncryption === undefined ? {} : { ServerSideEncryption: serverSideEncryption }),
      ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    };
    const answer = await this.#call(call, (client) =>
      content instanceof Uint8Array
        ? client.send(new PutObjectCommand({ ...input, Body: content }))
        : sendFile(client, input, { ...content, what: call.what }),
    );
    await this.#confirm(answer, { key, md5, sizeBytes, call });
  }

  /**
   * An answer that says that all is well must also say what is stored now: one from something in between does not. Where
   * the tag is of another making than MD5, the object itself is asked.
   */
  async #confirm(
    { ETag, ServerSideEncryption }: Pick<PutObjectCommandOutput, 'ETag' | 'ServerSideEncryption'>,
    { key, md5, sizeBytes, call }: { key: string; md5: string; sizeBytes: number; call: Call },
  ): Promise<void> {
    const tag = MD5.exec(ETag ?? '')?.[1];
    if (tag === md5) return;
    const isTaggedOtherwise = tag === undefined || ServerSideEncryption?.startsWith('aws:kms');
    if (ETag !== undefined && isTaggedOtherwise && (await this.stat(key))?.sizeBytes === sizeBytes) return;
    if (ETag !== undefined && !isTaggedOtherwise && (await this.#md5OfObject(key)) === md5) return;
    throw new HoldfastError('store-unreachable', `cannot ${call.what}: the answer does not say that it is stored`, {
      retryable: true,
      context: { key, store: this.location },
    });
  }

  async #md5OfObject(key: string): Promise<string | undefined> {
    try {
      return hash('md5', await this.get(key), 'hex');
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  async get(key: string, range?: ByteRange, use: Use = {}): Promise<Uint8Array> {
    this.#path(key);
    if (range?.length === 0) return this.#getNothing(key, range.offset);
    return this.#get(key, { range, into: use.into, onMd5: use.onMd5 });
  }

  async #get(key: string, part: WantedPart): Promise<Uint8Array> {
    const first = await this.#read(key, part);
    if (first.isSound) return first.bytes;
    // Wrong bytes that come twice are what is stored: to judge them is for those who know what they should be.
    return (await this.#read(key, part)).bytes;
  }

  /** No range can be empty. */
  async #getNothing(key: string, offset: number): Promise<Uint8Array> {
    const object = await this.stat(key);
    if (object === undefined) throw new HoldfastError('object-missing', `${key} is not in ${this.location}`);
    if (object.sizeBytes < offset) throw this.#tooShort(key, offset);
    return new Uint8Array(0);
  }

  async #read(key: string, { range, into, version, onMd5 }: WantedPart) {
    const permission = version === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
    const call = { what: `read ${key} in ${this.location}`, permission, key };
    const endByte = range === undefined ? undefined : range.offset + range.length;
    return this.#call(call, async (client) => {
      const command = new GetObjectCommand({
        Bucket: this.#options.bucket,
        Key: this.#path(key),
        ...(version === undefined ? {} : { VersionId: version }),
        ...(range === undefined ? {} : { Range: `bytes=${range.offset}-${endByte! - 1}` }),
      });
      const answer = await client.send(command).catch((error: unknown) => {
        if ((error as { name?: string }).name !== 'InvalidRange') throw error;
        throw this.#tooShort(key, endByte ?? 0);
      });
      const part = partOf(answer, range);
      if (endByte !== undefined && part.objectBytes < endByte) {
        (answer.Body as Readable).destroy();
        throw this.#tooShort(key, endByte);
      }
      const bytes = await readBody(answer.Body as Readable, { ...part, into }, call.what);
      const isSound = part.digest === undefined || part.digest.digest('hex') === part.tag;
      if (part.tag !== undefined) onMd5?.(part.tag);
      if (range === undefined || answer.ContentRange !== undefined) return { bytes, isSound };
      // The server does not know of ranges: it sent the whole.
      if (bytes.length < range.offset + range.length) throw this.#tooShort(key, range.offset + range.length);
      return { bytes: Uint8Array.prototype.slice.call(bytes, range.offset, endByte), isSound };
    });
  }

  #tooShort(key: string, endByte: number): HoldfastError {
    return endsBefore(`${key} in ${this.location}`, endByte);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const { bucket, listPageSize } = this.#options;
    const root = this.#root;
    const call = { what: `list ${prefix || 'all'} in ${this.location}`, permission: 's3:ListBucket' };
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await this.#call(call, (client) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: `${root}${prefix}`,
            EncodingType: 'url',
            ...(listPageSize === undefined ? {} : { MaxKeys: listPageSize }),
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key = '', Size, LastModified } of page.Contents ?? []) {
        const path = page.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key;
        const key = path.slice(root.length);
        if (!path.startsWith(root) || !isObjectKey(key)) continue;
        yield { key, sizeBytes: Size ?? 0, modifiedMs: LastModified?.getTime() ?? 0 };
      }
      // A listing that ends early would be taken for the whole of it.
      if (page.IsTruncated && (page.NextContinuationToken === undefined || page.NextContinuationToken === token)) {
        throw new HoldfastError('store-failed', `cannot ${call.what}: the server does not say how it goes on`);
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const call = { what: `look up ${key} in ${this.location}`, permission: 's3:GetObject and s3:ListBucket', key };
    const { bucket } = this.#options;
    const path = this.#path(key);
    try {
      const answer = await this.#call(call, (client) =>
        client.send(new HeadObjectCommand({ Bucket: bucket, Key: path })),
      );
      const { ContentLength = 0, LastModified } = answer;
      return { key, sizeBytes: ContentLength, modifiedMs: LastModified?.getTime() ?? 0, ...offlineOf(answer) };
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing') && !isHoldfastError(error, 'permission-denied')) throw error;
      await this.#askForReason(path, call);
      if (error.code === 'permission-denied') throw error;
      return undefined;
    }
  }

  /** An answer to HEAD has no body: whether the whole bucket is not there, or what is refused and why, it does not say. */
  async #askForReason(path: string, call: Call): Promise<void> {
    const request = { Bucket: this.#options.bucket, Prefix: path, MaxKeys: 1 };
    await this.#call(call, (client) => client.send(new ListObjectsV2Command(request)));
  }

  async delete(key: string): Promise<void> {
    const call = { what: `delete ${key} in ${this.location}`, permission: 's3:DeleteObject', key };
    const command = { Bucket: this.#options.bucket, Key: this.#path(key) };
    try {
      await this.#call(call, (client) => client.send(new DeleteObjectCommand(command)));
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
    }
  }

  async recall(key: string, { tier, days }: RecallRequest): Promise<void> {
    const call = { what: `ask for ${key} in ${this.location}`, permission: 's3:RestoreObject', key };
    const request = { Days: days, GlacierJobParameters: { Tier: TIERS[tier] } };
    const command = { Bucket: this.#options.bucket, Key: this.#path(key), RestoreRequest: request };
    await this.#call(call, async (client) => {
      try {
        await client.send(new RestoreObjectCommand(command));
      } catch (error) {
        if ((error as { name?: string }).name !== 'RestoreAlreadyInProgress') throw error;
      }
    });
  }

  async makePlace({ lock = false }: { lock?: boolean } = {}): Promise<void> {
    const { bucket, region, endpoint } = this.#options;
    const permission = lock ? 's3:CreateBucket and s3:PutBucketObjectLockConfiguration' : 's3:CreateBucket';
    const call = { what: `make the bucket ${bucket}`, permission };
    // Servers other than Amazon's know places by other names, and Amazon's first region by none.
    const constraint = endpoint === undefined && region !== 'us-east-1' ? region : undefined;
    const place = constraint && { CreateBucketConfiguration: { LocationConstraint: constraint as 'eu-west-1' } };
    await this.#call(call, (client) =>
      client
        .send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: lock, ...place }))
        .catch((error: unknown) => {
          if ((error as { name?: string }).name !== 'BucketAlreadyOwnedByYou') throw error;
        }),
    );
  }

  #path(key: string): string {
    if (!isObjectKey(key)) throw new HoldfastError('internal', `${JSON.stringify(key)} is no object key`);
    return `${this.#root}${key}`;
  }

  get #root(): string {
    return this.#options.prefix === '' ? '' : `${this.#options.prefix}/`;
  }

  async #call<T>(call: Call, send: (client: S3Client) => Promise<T>): Promise<T> {
    try {
      return await this.#client.send(send);
    } catch (error) {
      throw s3Error(error, { ...call, store: this.location, bucket: this.#options.bucket, nowMs: Date.now() });
    }
  }
}

async function sendFile(
  client: S3Client,
  input: PutObjectCommandInput,
  { file, sizeBytes, what }: StagedContent & { what: string },
): Promise<PutObjectCommandOutput> {
  const body = new FileBody(file, sizeBytes);
  const abort = new AbortController();
  body.once('error', () => abort.abort());
  try {
    return await client.send(new PutObjectCommand({ ...input, Body: body }), { abortSignal: abort.signal });
  } catch (error) {
    if (body.errored === null) throw error;
    throw new HoldfastError('internal', `cannot ${what}: ${body.errored.message}`, { cause: body.errored });
  } finally {
    body.destroy();
  }
}

/** What of an object is to be read. */
interface WantedPart {
  range: ByteRange | undefined;
  into?: Uint8Array | undefined;
  onMd5?: Use['onMd5'];
  /** The newest, when left out. */
  version?: string;
}

const TIERS = { bulk: 'Bulk', standard: 'Standard', expedited: 'Expedited' } as const;
const OFFLINE_CLASSES: readonly (string | undefined)[] = ['GLACIER', 'DEEP_ARCHIVE'];

/** `Restore` is there once an object was asked for, and says whether it has come; its copy is gone after the days asked for. */
function offlineOf({ StorageClass, Restore }: HeadObjectCommandOutput): Pick<StoredObject, 'offline'> {
  if (!OFFLINE_CLASSES.includes(StorageClass)) return {};
  if (Restore === undefined) return { offline: 'unasked' };
  return Restore.includes('ongoing-request="true"') ? { offline: 'asked' } : {};
}

interface BodyPart {
  /** How many bytes the answer must have. */
  bodyBytes: number | undefined;
  /** How many the whole object has. */
  objectBytes: number;
  /** The MD5 that the whole object should have, where the server says so. */
  tag: string | undefined;
  /** Where it sends the whole, too. */
  digest: Hash | undefined;
}

function partOf(answer: GetObjectCommandOutput, range: ByteRange | undefined): BodyPart {
  const { ContentRange, ContentLength, ETag, ServerSideEncryption, SSECustomerAlgorithm } = answer;
  const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1];
  const isTaggedByMd5 = !ServerSideEncryption?.startsWith('aws:kms') && SSECustomerAlgorithm === undefined;
  const tag = isTaggedByMd5 ? MD5.exec(ETag ?? '')?.[1] : undefined;
  return {
    bodyBytes: ContentRange === undefined ? ContentLength : range?.length,
    objectBytes: total === undefined ? (ContentLength ?? Number.POSITIVE_INFINITY) : Number(total),
    tag,
    digest: tag === undefined || ContentRange !== undefined ? undefined : createHash('md5'),
  };
}
