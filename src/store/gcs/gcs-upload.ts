import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type Content, sizeOf } from '../index.ts';
import { type GcsAnswer, type GcsBody, type GcsRequest, jsonBody } from './gcs-client.ts';

/** What is stored, besides its content. */
export interface NewObject {
  name: string;
  /** As Google writes it, in base 64. */
  md5Hash: string;
  contentType: string;
  storageClass?: string;
  retention?: { mode: 'Unlocked' | 'Locked'; retainUntilTime: string };
}

export interface Upload {
  /** Completes "cannot …". */
  what: string;
  /** The path that objects of the bucket are added at. */
  path: string;
  query: Readonly<Record<string, string | undefined>>;
  object: NewObject;
  content: Content;
}

/** Makes a request. @throws the boundary's errors, for every answer that is neither success nor in `accept` */
export type Send = (request: GcsRequest, accept?: readonly number[]) => Promise<GcsAnswer>;

/** An upload that was begun: where the service takes it, and of what. */
interface Session {
  url: string;
  object: NewObject;
}

const CHUNK_BYTES = 256 * 1024;
/** The answer to a part of an upload: go on from where `Range` says. */
const INCOMPLETE = 308;
const SESSION_GONE = [404, 410];

/** Sends an object and what is known of it in one request, and gives what the service says is stored. */
export async function uploadAtOnce({ what, path, query, object, content }: Upload, send: Send): Promise<GcsAnswer> {
  const boundary = `holdfast-${randomBytes(16).toString('hex')}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(object)}\r\n` +
      `--${boundary}\r\nContent-Type: ${object.contentType}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const body: GcsBody = {
    sizeBytes: head.length + sizeOf(content) + tail.length,
    async *chunks() {
      yield head;
      yield* chunksOf(content, what);
      yield tail;
    },
  };
  const headers = { 'Content-Type': `multipart/related; boundary=${boundary}` };
  return send({ method: 'POST', path, query: { ...query, uploadType: 'multipart' }, headers, body });
}

/**
 * Uploads that can be continued: when one fails with an error that may pass and the same content is given again, what the
 * service has of it is not sent a second time.
 *
 * Source: Google Cloud, "Resumable uploads" and "Perform resumable uploads", in the documentation of Cloud Storage.
 */
export class ResumableUploads {
  /** By content as it was given, so that what is given up is forgotten with it. */
  readonly #sessions = new WeakMap<object, Session>();

  /** What the service says is stored. */
  async upload(upload: Upload, send: Send): Promise<GcsAnswer> {
    const { object, content } = upload;
    try {
      const known = this.#sessions.get(content);
      const isOurs = known?.object.name === object.name && known.object.md5Hash === object.md5Hash;
      const answer = isOurs ? await this.#continue(upload, known.url, send) : await this.#begin(upload, send);
      this.#sessions.delete(content);
      return answer;
    } catch (error) {
      // What arrived altered stays so.
      const isAltered = isHoldfastError(error) && error.context['status'] === 400;
      if (!isHoldfastError(error) || !error.retryable || isAltered) this.#sessions.delete(content);
      throw error;
    }
  }

  async #begin(upload: Upload, send: Send): Promise<GcsAnswer> {
    const { path, query, object, content } = upload;
    const { headers, body } = jsonBody(object);
    const answer = await send({
      method: 'POST',
      path,
      query: { ...query, uploadType: 'resumable' },
      headers: {
        ...headers,
        'X-Upload-Content-Type': object.contentType,
        'X-Upload-Content-Length': `${sizeOf(content)}`,
      },
      ...(body && { body }),
    });
    answer.body.resume();
    const url = answer.headers.location;
    if (url === undefined || !URL.canParse(url)) throw this.#givenUp(upload, 'the answer names no place to send it to');
    this.#sessions.set(content, { url, object });
    return this.#sendFrom(0, upload, url, send);
  }

  async #continue(upload: Upload, url: string, send: Send): Promise<GcsAnswer> {
    const headers = { 'Content-Range': `bytes */${sizeOf(upload.content)}` };
    const answer = await send({ method: 'PUT', path: url, headers }, [INCOMPLETE, ...SESSION_GONE]);
    return this.#goOn(answer, -1, upload, url, send);
  }

  async #sendFrom(offset: number, upload: Upload, url: string, send: Send): Promise<GcsAnswer> {
    const { content, what } = upload;
    const sizeBytes = sizeOf(content);
    const headers = { 'Content-Range': `bytes ${offset}-${sizeBytes - 1}/${sizeBytes}` };
    const body = { sizeBytes: sizeBytes - offset, chunks: () => chunksOf(content, what, offset) };
    const answer = await send({ method: 'PUT', path: url, headers, body }, [INCOMPLETE, ...SESSION_GONE]);
    return this.#goOn(answer, offset, upload, url, send);
  }

  /** Sends the rest, where the service says that it does not have all. @param sentFrom where what was sent last began */
  async #goOn(answer: GcsAnswer, sentFrom: number, upload: Upload, url: string, send: Send): Promise<GcsAnswer> {
    if (SESSION_GONE.includes(answer.status)) {
      answer.body.resume();
      throw this.#givenUp(upload, 'the server no longer knows of the upload');
    }
    if (answer.status !== INCOMPLETE) return answer;
    answer.body.resume();
    const last = /^bytes=0-(\d+)$/.exec(answer.headers.range ?? '')?.[1];
    const offset = last === undefined ? 0 : Number(last) + 1;
    if (offset > sentFrom && offset < sizeOf(upload.content)) return this.#sendFrom(offset, upload, url, send);
    throw this.#givenUp(upload, 'the server does not take the rest of it');
  }

  /** What was begun is of no more use; all may be sent anew. */
  #givenUp({ what, content }: Upload, why: string): HoldfastError {
    this.#sessions.delete(content);
    return new HoldfastError('store-unreachable', `cannot ${what}: ${why}`, { retryable: true });
  }
}

/** @throws internal for a file that is not as long as is said: the service would wait for the rest of it */
async function* chunksOf(content: Content, what: string, fromByte = 0): AsyncIterable<Uint8Array> {
  if (content instanceof Uint8Array) {
    for (let at = fromByte; at < content.byteLength; at += CHUNK_BYTES) yield content.subarray(at, at + CHUNK_BYTES);
  } else if (content.sizeBytes > fromByte) {
    const end = content.sizeBytes - 1;
    let doneBytes = fromByte;
    for await (const chunk of createReadStream(content.file, { start: fromByte, end, highWaterMark: CHUNK_BYTES })) {
      doneBytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (doneBytes < content.sizeBytes) {
      throw new HoldfastError(
        'internal',
        `cannot ${what}: its file has ${doneBytes} bytes instead of ${content.sizeBytes}`,
      );
    }
  }
}
