import { createHash } from 'node:crypto';
import { CRC32C } from '@google-cloud/storage';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  type Digest,
  endsBefore,
  handingOver,
  isObjectKey,
  md5Of,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type Retention,
  readBody,
  type StoredObject,
  sizeOf,
  type Use,
} from '../index.ts';
import { type GcsAnswer, GcsClient, type GcsRequest, type GcsStoreOptions, jsonBody } from './gcs-client.ts';
import { failureBeforeAnswer, failureOfAnswer, missingThing, noBucket, readRefusal } from './gcs-error.ts';
import {
  type Call,
  GcsLock,
  type ObjectPage,
  type ObjectResource,
  retentionOf,
  retentionResource,
} from './gcs-lock.ts';
import { ResumableUploads, type Send, uploadAtOnce } from './gcs-upload.ts';

/** The largest object that there can be. */
const LARGEST_BYTES = 5 * 1024 ** 4;
const RESUMABLE_FROM_BYTES = 8 * 1024 ** 2;
/** What an answer that is no object may have: what is beyond it says nothing more. */
const LONGEST_REFUSAL = 64 * 1024;
const CONTENT_TYPE = 'application/octet-stream';

/**
 * Objects in a bucket of Google Cloud Storage, with the credentials of Google's own chain. Each call is made once: what may
 * be made again says so, as `retryable`. What it claims to be able to is for a probe to confirm.
 */
export function createGcsStore(options: GcsStoreOptions): ObjectStore {
  return new GcsStore(options);
}

class GcsStore implements ObjectStore {
  readonly location: string;
  readonly stagingDirectory = undefined;
  readonly lock: ObjectLock;
  readonly #options: GcsStoreOptions;
  readonly #uploads = new ResumableUploads();
  readonly #bucketPath: string;
  readonly #root: string;
  #client: GcsClient;

  constructor(options: GcsStoreOptions) {
    this.#options = options;
    this.location = `gs://${options.bucket}${options.prefix === '' ? '' : `/${options.prefix}`}`;
    this.#bucketPath = `/b/${encodeURIComponent(options.bucket)}`;
    this.#root = options.prefix === '' ? '' : `${options.prefix}/`;
    this.#client = new GcsClient(options);
    this.lock = new GcsLock({
      ...{ location: this.location, bucketPath: this.#bucketPath, root: this.#root },
      objectPath: (key) => this.#objectPath(key),
      send: (call, request) => this.#send(call, request),
      ask: (call, request, kind) => this.#ask(call, request, kind),
      pages: (call, query) => this.#pages(call, query),
      read: ({ key, id }, range) => this.#get(key, { range, generation: id }),
    });
  }

  async capabilities() {
    return { conditionalPut: true, consistentListing: true };
  }

  async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    const name = this.#name(key);
    await handingOver(content, () => this.#put(name, key, content, options));
  }

  async #put(
    name: string,
    key: string,
    content: Content,
    { ifAbsent, bulk, md5, retention }: PutOptions,
  ): Promise<void> {
    const { storageClass, kmsKeyName, resumableFromBytes = RESUMABLE_FROM_BYTES } = this.#options;
    const call = { what: `write ${key} in ${this.location}`, permission: 'storage.objects.create', key };
    const sizeBytes = sizeOf(content);
    if (sizeBytes > LARGEST_BYTES) {
      throw new HoldfastError('store-failed', `cannot ${call.what}: it is larger than 5 TiB`);
    }
    const md5Hash = Buffer.from(md5 ?? (await md5Of(content, call.what)), 'hex').toString('base64');
    const upload = {
      path: `/upload/storage/v1${this.#bucketPath}/o`,
      query: { ...(ifAbsent ? { ifGenerationMatch: '0' } : {}), kmsKeyName },
      what: call.what,
      object: {
        ...{ name, md5Hash, contentType: CONTENT_TYPE },
        ...(bulk && storageClass !== undefined && { storageClass }),
        ...(retention && { retention: retentionResource(retention) }),
      },
      content,
    };
    const send: Send = (request, accept) => this.#send(call, request, accept);
    try {
      const answer = await (sizeBytes < resumableFromBytes
        ? uploadAtOnce(upload, send)
        : this.#uploads.upload(upload, send));
      const stored = await this.#readJson<ObjectResource>(call, answer, 'storage#object');
      this.#confirm(stored, { name, md5Hash, sizeBytes, retention, call });
    } catch (error) {
      if (!isHoldfastError(error, 'permission-denied')) throw error;
      // Who may only add may not replace, and may be told that instead of what a condition says.
      const stored = await this.#lookUpIfAllowed(call);
      if (stored === undefined) throw error;
      if (ifAbsent) throw new HoldfastError('object-exists', `${key} is in ${this.location} already`, { cause: error });
      // The same may be there from an earlier attempt, whose answer was lost.
      if (stored.md5Hash !== md5Hash || !isLockedSo(stored, retention)) throw error;
    }
  }

  /** An answer that says that all is well must also say what is stored now: one from something in between does not. */
  #confirm(stored: ObjectResource, { name, md5Hash, sizeBytes, retention, call }: Expected): void {
    const isStored = stored.name === name && stored.md5Hash === md5Hash && stored.size === `${sizeBytes}`;
    if (isStored && isLockedSo(stored, retention)) return;
    const context = { key: call.key, store: this.location };
    if (isStored) {
      throw new HoldfastError('store-unsuitable', `cannot ${call.what}: the server stores it, but does not lock it`, {
        context,
      });
    }
    throw new HoldfastError('store-unreachable', `cannot ${call.what}: the answer does not say that it is stored`, {
      retryable: true,
      context,
    });
  }

  async #lookUpIfAllowed(call: Call & { key: string }): Promise<ObjectResource | undefined> {
    try {
      return await this.#lookUp(call);
    } catch (error) {
      if (isHoldfastError(error, 'object-missing') || isHoldfastError(error, 'permission-denied')) return undefined;
      throw error;
    }
  }

  async get(key: string, range?: ByteRange, { into }: Use = {}): Promise<Uint8Array> {
    this.#name(key);
    if (range?.length === 0) return this.#getNothing(key, range.offset);
    return this.#get(key, { range, into });
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

  async #read(key: string, { range, into, generation }: WantedPart) {
    const call = { what: `read ${key} in ${this.location}`, permission: 'storage.objects.get', key };
    const endByte = range === undefined ? undefined : range.offset + range.length;
    const request: GcsRequest = {
      method: 'GET',
      path: this.#objectPath(key),
      query: { alt: 'media', generation },
      headers: range === undefined ? {} : { Range: `bytes=${range.offset}-${endByte! - 1}` },
    };
    const answer = await this.#send(call, request, [416]);
    const part = partOf(answer, range);
    if (answer.status === 416 || (endByte !== undefined && part.objectBytes < endByte)) {
      answer.body.destroy();
      throw this.#tooShort(key, endByte ?? 0);
    }
    if (!isOfObject(answer)) {
      answer.body.destroy();
      throw this.#unreadable(call, 'it is no object');
    }
    const bytes = await this.#reading(call, () => readBody(answer.body, { ...part, into }, call.what));
    if (range === undefined || part.isRange) return { bytes, isSound: part.isSound() };
    // The server does not know of ranges: it sent the whole.
    if (bytes.length < range.offset + range.length) throw this.#tooShort(key, range.offset + range.length);
    return { bytes: Uint8Array.prototype.slice.call(bytes, range.offset, endByte), isSound: part.isSound() };
  }

  #tooShort(key: string, endByte: number): HoldfastError {
    return endsBefore(`${key} in ${this.location}`, endByte);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const root = this.#root;
    const call = { what: `list ${prefix || 'all'} in ${this.location}`, permission: 'storage.objects.list' };
    const query = { prefix: `${root}${prefix}`, fields: 'kind,items(name,size,timeCreated),nextPageToken' };
    for await (const page of this.#pages(call, query)) {
      for (const object of page.items ?? []) {
        const key = object.name?.slice(root.length) ?? '';
        if (object.name?.startsWith(root) && isObjectKey(key)) yield storedObject(key, object);
      }
    }
  }

  async *#pages(call: Call, query: NonNullable<GcsRequest['query']>): AsyncIterable<ObjectPage> {
    const maxResults = this.#options.listPageSize?.toString();
    let pageToken: string | undefined;
    do {
      const page = await this.#listPage(call, { maxResults, pageToken, ...query });
      yield page;
      // A listing that goes round would never end.
      if (page.nextPageToken !== undefined && page.nextPageToken === pageToken) {
        throw new HoldfastError('store-failed', `cannot ${call.what}: the server does not say how it goes on`);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  async #listPage(call: Call, query: NonNullable<GcsRequest['query']>): Promise<ObjectPage> {
    const path = `/storage/v1${this.#bucketPath}/o`;
    const answer = await this.#send(call, { method: 'GET', path, query }, [404]);
    // Only the bucket itself can be missing from its listing, however that is worded.
    if (answer.status === 404) {
      answer.body.resume();
      throw noBucket({ ...call, store: this.location, bucket: this.#options.bucket });
    }
    return this.#readJson<ObjectPage>(call, answer, 'storage#objects');
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const call = { what: `look up ${key} in ${this.location}`, permission: 'storage.objects.get', key };
    try {
      return storedObject(key, await this.#lookUp(call));
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  #lookUp(call: Call & { key: string }): Promise<ObjectResource> {
    return this.#ask<ObjectResource>(call, { method: 'GET', path: this.#objectPath(call.key) }, 'storage#object');
  }

  async delete(key: string): Promise<void> {
    const call = { what: `delete ${key} in ${this.location}`, permission: 'storage.objects.delete', key };
    try {
      const answer = await this.#send(call, { method: 'DELETE', path: this.#objectPath(key) });
      answer.body.resume();
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
    }
  }

  async makePlace({ lock = false }: { lock?: boolean } = {}): Promise<void> {
    const { bucket, location, project } = this.#options;
    const permission = lock
      ? 'storage.buckets.create and storage.buckets.enableObjectRetention'
      : 'storage.buckets.create';
    const call = { what: `make the bucket ${bucket}`, permission };
    const answer = await this.#send(
      call,
      {
        method: 'POST',
        path: '/storage/v1/b',
        query: {
          project: project ?? (await this.#projectOfCredentials(call)),
          ...(lock ? { enableObjectRetention: 'true' } : {}),
        },
        ...jsonBody({
          name: bucket,
          ...(location === undefined ? {} : { location }),
          ...(lock ? { versioning: { enabled: true } } : {}),
          // Nobody but those whom the project allows to.
          iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' },
        }),
      },
      [409],
    );
    answer.body.resume();
    // It is there: ours, or somebody else's, whose objects we may not list.
    if (answer.status === 409) await this.#listPage(call, { maxResults: '1' });
  }

  async #projectOfCredentials(call: Call): Promise<string> {
    try {
      return await this.#client.project();
    } catch (cause) {
      throw new HoldfastError('store-failed', `cannot ${call.what}: no project is named`, {
        hint: 'Name the one that it is to belong to in the plan, `gcs: { project: … }`, or set GOOGLE_CLOUD_PROJECT.',
        cause: new Error(messageOf(cause)),
      });
    }
  }

  #name(key: string): string {
    if (!isObjectKey(key)) throw new HoldfastError('internal', `${JSON.stringify(key)} is no object key`);
    return `${this.#root}${key}`;
  }

  #objectPath(key: string): string {
    return `/storage/v1${this.#bucketPath}/o/${encodeURIComponent(this.#name(key))}`;
  }

  async #ask<T extends { kind: string }>(call: Call, request: GcsRequest, kind: T['kind']): Promise<T> {
    return this.#readJson<T>(call, await this.#send(call, request), kind);
  }

  /** @param accept what is to be looked at by the caller, besides success */
  async #send(call: Call, request: GcsRequest, accept: readonly number[] = []): Promise<GcsAnswer> {
    const failed = { ...call, store: this.location, bucket: this.#options.bucket };
    const answer = await this.#sendRenewed(request).catch((error: unknown) => {
      throw failureBeforeAnswer(error, failed);
    });
    const { status, headers, body } = answer;
    if ((status >= 200 && status < 300) || accept.includes(status)) return answer;
    const text = await this.#reading(call, () => readBeginning(body));
    const refusal = readRefusal(status, headers, text);
    // Whether the object is missing or all of the bucket is not said by every answer.
    if (missingThing(refusal) === 'unknown' && call.key !== undefined) {
      const { key: _, ...anyOf } = call;
      await this.#listPage(anyOf, { maxResults: '1', prefix: this.#options.prefix });
    }
    throw failureOfAnswer(refusal, failed);
  }

  /** Credentials that are no longer taken are asked for anew, once. */
  async #sendRenewed(request: GcsRequest): Promise<GcsAnswer> {
    const { userProject } = this.#options;
    const paid = { ...request, query: { ...request.query, userProject } };
    const client = this.#client;
    const answer = await client.send(paid);
    if (answer.status !== 401) return answer;
    answer.body.resume();
    if (this.#client === client) this.#client = new GcsClient(this.#options);
    return this.#client.send(paid);
  }

  /** The body, which says what `kind` of thing it is: what something in between wrote is taken for nothing of the kind. */
  async #readJson<T extends { kind: string }>(call: Call, answer: GcsAnswer, kind: T['kind']): Promise<T> {
    const { headers, body } = answer;
    const bytes = await this.#reading(call, () => readBody(body, { bodyBytes: lengthIn(headers) }, call.what));
    try {
      const json = JSON.parse(Buffer.from(bytes).toString()) as T;
      if (json?.kind === kind) return json;
    } catch (error) {
      throw this.#unreadable(call, messageOf(error));
    }
    throw this.#unreadable(call, `it is no ${kind}`);
  }

  #unreadable({ what, key }: Call, why: string): HoldfastError {
    return new HoldfastError('store-unreachable', `cannot ${what}: the answer cannot be read: ${why}`, {
      retryable: true,
      context: { ...(key === undefined ? {} : { key }), store: this.location },
    });
  }

  async #reading<T>(call: Call, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw failureBeforeAnswer(error, { ...call, store: this.location, bucket: this.#options.bucket });
    }
  }
}

/** What a put must have come to. */
interface Expected {
  name: string;
  md5Hash: string;
  sizeBytes: number;
  retention: Retention | undefined;
  call: Call & { key: string };
}

function isLockedSo(stored: ObjectResource, wanted: Retention | undefined): boolean {
  if (wanted === undefined) return true;
  const has = retentionOf(stored);
  return (
    has !== undefined && has.untilMs >= wanted.untilMs && (wanted.mode === 'governance' || has.mode === wanted.mode)
  );
}

function storedObject(key: string, { size, timeCreated }: ObjectResource): StoredObject {
  return { key, sizeBytes: Number(size ?? 0), modifiedMs: Date.parse(timeCreated ?? '') || 0 };
}

/** Whether the service itself says that this is an object's content, and not something in between. */
function isOfObject({ headers }: GcsAnswer): boolean {
  return headers['x-goog-hash'] !== undefined || headers['x-goog-generation'] !== undefined;
}

function lengthIn(headers: GcsAnswer['headers']): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/** What is asked for of an object. */
interface WantedPart {
  range: ByteRange | undefined;
  /** Where the bytes may go. */
  into?: Uint8Array | undefined;
  /** Without one, the live one. */
  generation?: string;
}

interface BodyPart {
  /** How many bytes the answer must have. */
  bodyBytes: number | undefined;
  /** How many the whole object has. */
  objectBytes: number;
  isRange: boolean;
  digest: Digest | undefined;
  /** Whether all that came is what is stored, as far as the answer tells; asked once all is there. */
  isSound: () => boolean;
}

function partOf({ headers }: GcsAnswer, range: ByteRange | undefined): BodyPart {
  const contentRange = headers['content-range'];
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1];
  const length = lengthIn(headers);
  return {
    bodyBytes: contentRange === undefined ? length : range?.length,
    objectBytes: total === undefined ? (length ?? Number.POSITIVE_INFINITY) : Number(total),
    isRange: contentRange !== undefined,
    ...checksumOf(contentRange === undefined ? headers['x-goog-hash'] : undefined),
  };
}

/** Objects that were composed of others have no MD5. */
export function checksumOf(header: string | string[] | undefined): Pick<BodyPart, 'digest' | 'isSound'> {
  const hashes = String(header ?? '');
  const md5 = /\bmd5=([\w+/]+=*)/.exec(hashes)?.[1];
  if (md5 !== undefined) {
    const digest = createHash('md5');
    return { digest, isSound: () => digest.digest('base64') === md5 };
  }
  const crc32c = /\bcrc32c=([\w+/]+=*)/.exec(hashes)?.[1];
  if (crc32c === undefined) return { digest: undefined, isSound: () => true };
  const sum = new CRC32C();
  return { digest: sum, isSound: () => sum.toString() === crc32c };
}

async function readBeginning(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    parts.push(part);
    bytes += part.length;
    if (bytes > LONGEST_REFUSAL) break;
  }
  return Buffer.concat(parts).subarray(0, LONGEST_REFUSAL).toString();
}
