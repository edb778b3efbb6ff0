import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Bucket, BucketObject, ObjectHeaders, OpenedObject } from '../index.ts';
import { type GcsAnswer, GcsClient, type GcsRequest, type GcsStoreOptions } from './gcs-client.ts';
import { failureBeforeAnswer, failureOfAnswer, missingThing, noBucket, readRefusal } from './gcs-error.ts';
import type { Call } from './gcs-lock.ts';
import { checksumOf } from './gcs-store.ts';

interface ListedObject {
  name: string;
  size?: string;
  updated?: string;
  generation?: string;
  metageneration?: string;
}

/** The objects of others in a bucket of Cloud Storage, with the credentials of Google's own chain. Each call is made once. */
export function createGcsBucket(options: GcsStoreOptions): Bucket {
  return new GcsBucket(options);
}

class GcsBucket implements Bucket {
  readonly location: string;
  readonly #options: GcsStoreOptions;
  readonly #root: string;
  readonly #path: string;
  #client: GcsClient;

  constructor(options: GcsStoreOptions) {
    const { bucket, prefix } = options;
    this.#options = options;
    this.#root = prefix === '' ? '' : `${prefix}/`;
    this.#path = `/storage/v1/b/${encodeURIComponent(bucket)}/o`;
    this.location = `gs://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
    this.#client = new GcsClient(options);
  }

  async *list(after?: string): AsyncIterable<BucketObject> {
    const call = { what: `list ${this.location}`, permission: 'storage.objects.list' };
    const query = {
      prefix: this.#root,
      fields: 'items(name,size,updated,generation,metageneration),nextPageToken',
      maxResults: this.#options.listPageSize?.toString(),
      // It begins with that one.
      startOffset: after === undefined ? undefined : `${this.#root}${after}`,
    };
    for (let pageToken: string | undefined; ; ) {
      const answer = await this.#send(call, { method: 'GET', path: this.#path, query: { ...query, pageToken } });
      const page = await this.#readPage(call, answer);
      for (const object of page.items ?? []) {
        const key = object.name.slice(this.#root.length);
        if (after !== undefined && key === after) continue;
        yield { key, ...versionOf(object) };
      }
      if (page.nextPageToken === undefined) return;
      if (page.nextPageToken === pageToken) {
        throw new HoldfastError('store-failed', `cannot ${call.what}: the server does not say how it goes on`);
      }
      pageToken = page.nextPageToken;
    }
  }

  async open(key: string): Promise<OpenedObject | undefined> {
    const call = { what: `read ${JSON.stringify(key)} in ${this.location}`, permission: 'storage.objects.get', key };
    const path = `${this.#path}/${encodeURIComponent(`${this.#root}${key}`)}`;
    // Without it the service would unpack what is stored compressed.
    const headers = { 'Accept-Encoding': 'gzip' };
    try {
      const answer = await this.#send(call, { method: 'GET', path, query: { alt: 'media' }, headers });
      const sizeBytes = Number(answer.headers['content-length'] ?? 0);
      const version = versionIn(answer.headers);
      const modifiedMs = Date.parse(answer.headers['last-modified'] ?? '') || 0;
      const body = this.#body(answer, call, sizeBytes);
      return { key, sizeBytes, modifiedMs, version, headers: headersOf(answer.headers), body };
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  async *#body({ body, headers }: GcsAnswer, call: Call, sizeBytes: number): AsyncIterable<Uint8Array> {
    const { digest, isSound } = checksumOf(headers['x-goog-hash']);
    let doneBytes = 0;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        doneBytes += chunk.length;
        digest?.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw failureBeforeAnswer(error, this.#failed(call));
    }
    if (doneBytes !== sizeBytes || !isSound()) throw this.#unreadable(call, 'what came is not what is stored');
  }

  async #readPage(call: Call, { body }: GcsAnswer): Promise<{ items?: ListedObject[]; nextPageToken?: string }> {
    try {
      return JSON.parse(await text(body)) as { items?: ListedObject[]; nextPageToken?: string };
    } catch (error) {
      if (error instanceof SyntaxError) throw this.#unreadable(call, 'the answer is no listing');
      throw failureBeforeAnswer(error, this.#failed(call));
    }
  }

  #unreadable({ what }: Call, why: string): HoldfastError {
    return new HoldfastError('store-unreachable', `cannot ${what}: ${why}`, {
      retryable: true,
      context: { store: this.location },
    });
  }

  #failed(call: Call) {
    return { ...call, store: this.location, bucket: this.#options.bucket };
  }

  /** Credentials that are no longer taken are asked for anew, once. */
  async #send(call: Call, request: GcsRequest): Promise<GcsAnswer> {
    const paid = { ...request, query: { ...request.query, userProject: this.#options.userProject } };
    let answer = await this.#exchange(call, paid);
    if (answer.status === 401) {
      answer.body.resume();
      this.#client = new GcsClient(this.#options);
      answer = await this.#exchange(call, paid);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    const refusal = readRefusal(answer.status, answer.headers, await text(answer.body));
    if (missingThing(refusal) !== undefined && call.key === undefined) throw noBucket(this.#failed(call));
    throw failureOfAnswer(refusal, this.#failed(call));
  }

  async #exchange(call: Call, request: GcsRequest): Promise<GcsAnswer> {
    try {
      return await this.#client.send(request);
    } catch (error) {
      throw failureBeforeAnswer(error, this.#failed(call));
    }
  }
}

function versionOf({ size, updated, generation, metageneration }: ListedObject): Omit<BucketObject, 'key'> {
  const version = `${generation ?? ''}.${metageneration ?? ''}`;
  return { sizeBytes: Number(size ?? 0), modifiedMs: Date.parse(updated ?? '') || 0, version };
}

function versionIn(headers: IncomingHttpHeaders): string {
  return `${headers['x-goog-generation'] ?? ''}.${headers['x-goog-metageneration'] ?? ''}`;
}

const USER_METADATA = 'x-goog-meta-';

function headersOf(headers: IncomingHttpHeaders): ObjectHeaders {
  const metadata = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(USER_METADATA) ? [[name.slice(USER_METADATA.length), String(value)]] : [],
  );
  const { 'content-type': contentType, 'content-disposition': contentDisposition } = headers;
  const { 'content-language': contentLanguage, 'cache-control': cacheControl } = headers;
  const contentEncoding = headers['x-goog-stored-content-encoding'];
  return {
    ...(contentType && { contentType }),
    ...(typeof contentEncoding === 'string' && contentEncoding !== 'identity' && { contentEncoding }),
    ...(contentDisposition && { contentDisposition }),
    ...(contentLanguage && { contentLanguage }),
    ...(cacheControl && { cacheControl }),
    ...(metadata.length > 0 && { metadata: Object.fromEntries(metadata) as Record<string, string> }),
  };
}
