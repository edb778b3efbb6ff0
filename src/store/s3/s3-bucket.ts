import { createHash } from 'node:crypto';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Bucket, BucketObject, ObjectHeaders, OpenedObject } from '../index.ts';
import { RenewedClient } from './renewed-client.ts';
import type { S3StoreOptions } from './s3-client.ts';
import { s3Error } from './s3-error.ts';
import type { Call } from './s3-lock.ts';

const MD5 = /^"([0-9a-f]{32})"$/;

/** The objects of others in a bucket of S3, with credentials of AWS's own chain. Each call is made once. */
export function createS3Bucket(options: S3StoreOptions): Bucket {
  return new S3Bucket(options);
}

class S3Bucket implements Bucket {
  readonly location: string;
  readonly #options: S3StoreOptions;
  readonly #root: string;
  readonly #client: RenewedClient;

  constructor(options: S3StoreOptions) {
    const { bucket, prefix } = options;
    this.#options = options;
    this.#root = prefix === '' ? '' : `${prefix}/`;
    this.location = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
    this.#client = new RenewedClient(options);
  }

  async *list(after?: string): AsyncIterable<BucketObject> {
    const { bucket, listPageSize } = this.#options;
    const call = { what: `list ${this.location}`, permission: 's3:ListBucket' };
    let from = after === undefined ? undefined : `${this.#root}${after}`;
    for (;;) {
      const input = {
        ...{ Bucket: bucket, Prefix: this.#root, EncodingType: 'url' as const },
        ...(listPageSize === undefined ? {} : { MaxKeys: listPageSize }),
        ...(from === undefined ? {} : { StartAfter: from }),
      };
      const page: ListObjectsV2CommandOutput = await this.#call(call, (client) =>
        client.send(new ListObjectsV2Command(input)),
      );
      let last: string | undefined;
      for (const { Key = '', Size = 0, LastModified, ETag = '' } of page.Contents ?? []) {
        last = page.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key;
        const key = last.slice(this.#root.length);
        yield { key, sizeBytes: Size, ...versionOf(ETag, LastModified) };
      }
      if (!page.IsTruncated) return;
      // A listing that ends early would be taken for the whole of it.
      if (last === undefined || last === from) {
        throw new HoldfastError('store-failed', `cannot ${call.what}: the server does not say how it goes on`);
      }
      from = last;
    }
  }

  async open(key: string): Promise<OpenedObject | undefined> {
    const call = { what: `read ${JSON.stringify(key)} in ${this.location}`, permission: 's3:GetObject', key };
    const command = { Bucket: this.#options.bucket, Key: `${this.#root}${key}` };
    try {
      const answer = await this.#call(call, (client) => client.send(new GetObjectCommand(command)));
      const { ContentLength: sizeBytes = 0, LastModified, ETag = '' } = answer;
      const body = this.#body(answer, call, sizeBytes);
      return { key, sizeBytes, ...versionOf(ETag, LastModified), headers: headersOf(answer), body };
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  async *#body(answer: GetObjectCommandOutput, call: Call, sizeBytes: number): AsyncIterable<Uint8Array> {
    const { ETag = '', ServerSideEncryption } = answer;
    const md5 = ServerSideEncryption?.startsWith('aws:kms') ? undefined : MD5.exec(ETag)?.[1];
    const digest = createHash('md5');
    let doneBytes = 0;
    try {
      for await (const chunk of answer.Body as AsyncIterable<Buffer>) {
        doneBytes += chunk.length;
        if (md5 !== undefined) digest.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw this.#failure(error, call);
    }
    if (doneBytes === sizeBytes && (md5 === undefined || digest.digest('hex') === md5)) return;
    throw new HoldfastError('store-unreachable', `cannot ${call.what}: what came is not what is stored`, {
      retryable: true,
      context: { store: this.location },
    });
  }

  async #call<T>(call: Call, send: (client: S3Client) => Promise<T>): Promise<T> {
    try {
      return await this.#client.send(send);
    } catch (error) {
      throw this.#failure(error, call);
    }
  }

  #failure(error: unknown, call: Call): HoldfastError {
    return s3Error(error, { ...call, store: this.location, bucket: this.#options.bucket, nowMs: Date.now() });
  }
}

/** What it was stored with changes only by its being stored again. An answer has whole seconds, where a listing has more. */
function versionOf(tag: string, modified: Date | undefined): Pick<BucketObject, 'version' | 'modifiedMs'> {
  const seconds = Math.floor((modified?.getTime() ?? 0) / 1000);
  return { version: `${tag} ${seconds}`, modifiedMs: seconds * 1000 };
}

function headersOf(answer: GetObjectCommandOutput): ObjectHeaders {
  const { ContentType, ContentEncoding, ContentDisposition, ContentLanguage, CacheControl, Metadata = {} } = answer;
  return {
    ...(ContentType && { contentType: ContentType }),
    ...(ContentEncoding && { contentEncoding: ContentEncoding }),
    ...(ContentDisposition && { contentDisposition: ContentDisposition }),
    ...(ContentLanguage && { contentLanguage: ContentLanguage }),
    ...(CacheControl && { cacheControl: CacheControl }),
    ...(Object.keys(Metadata).length > 0 && { metadata: Metadata }),
  };
}
