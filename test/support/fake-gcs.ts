/**
 * A server of Cloud Storage in memory: its JSON interface, the reads of its XML interface, and the exchange of credentials
 * for tokens. It refuses what the real one refuses; `gcs-buckets.ts` has the rules.
 *
 * Source: Google Cloud, "Cloud Storage JSON API" and its guides to uploads, preconditions and Object Retention Lock.
 */

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import {
  addObject,
  type Bucket,
  type BucketSettings,
  checkMetadata,
  checkPreconditions,
  copyObject,
  findObject,
  type GcsObject,
  GcsRefusal,
  invalid,
  listObjects,
  liveObject,
  makeBucket,
  type ObjectMetadata,
  patchObject,
  removeObject,
  restoreObject,
} from './gcs-buckets.ts';
import { answer, bucketResource, readMultipart, refuse, resource } from './gcs-messages.ts';

export interface FakeGcs {
  endpoint: string;
  buckets: Map<string, Bucket>;
  /** Permissions that nobody has, such as storage.objects.delete. */
  denied: Set<string>;
  /** How many tokens were given out. */
  tokensGiven: number;
  /** Whether requests need a token. */
  isOpen: boolean;
  /** A token, without credentials. */
  giveToken(): string;
  /** No token that was given out is taken any more. */
  expireTokens(): void;
  /** Forgets what was begun and not ended. */
  dropUploads(): void;
  close(): Promise<void>;
}

interface UploadSession {
  bucket: Bucket;
  metadata: ObjectMetadata;
  query: URLSearchParams;
  sizeBytes: number | undefined;
  received: Buffer;
  done?: GcsObject;
}

interface Exchange {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  url: URL;
  query: URLSearchParams;
}

type Handler = (exchange: Exchange, ...names: string[]) => Promise<void> | void;

/** Of an upload in parts, all but the last must be so many bytes or a multiple. */
const PART_BYTES = 256 * 1024;
const SUBJECT = 'who-asks';

export async function startFakeGcs(): Promise<FakeGcs> {
  const gcs = new Gcs();
  const server = createServer((incoming, outgoing) => void gcs.handle(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(gcs, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** What Google's libraries read as credentials: a subject's token in a file, to be exchanged at the server for another. */
export function credentialsFor(endpoint: string, subjectFile: string): object {
  return {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/tests/providers/tests',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${endpoint}/token`,
    credential_source: { file: subjectFile },
  };
}
export const SUBJECT_TOKEN = SUBJECT;

class Gcs {
  readonly buckets = new Map<string, Bucket>();
  readonly denied = new Set<string>();
  tokensGiven = 0;
  isOpen = false;
  readonly #tokens = new Set<string>();
  readonly #uploads = new Map<string, UploadSession>();

  readonly #routes: [string, RegExp, Handler][] = [
    ['POST', /^\/token$/, (exchange) => this.#giveToken(exchange)],
    ['POST', /^\/storage\/v1\/b$/, (exchange) => this.#createBucket(exchange)],
    ['GET', /^\/storage\/v1\/b\/([^/]+)$/, (exchange, name) => this.#getBucket(exchange, name!)],
    ['PATCH', /^\/storage\/v1\/b\/([^/]+)$/, (exchange, name) => this.#patchBucket(exchange, name!)],
    ['GET', /^\/storage\/v1\/b\/([^/]+)\/o$/, (exchange, bucket) => this.#list(exchange, bucket!)],
    ['POST', /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/, (exchange, bucket) => this.#insert(exchange, bucket!)],
    ['PUT', /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/, (exchange) => this.#continueUpload(exchange)],
    [
      'GET',
      /^(?:\/download)?\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/,
      (exchange, bucket, name) => this.#get(exchange, bucket!, name!),
    ],
    [
      'PATCH',
      /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/,
      (exchange, bucket, name) => this.#patch(exchange, bucket!, name!),
    ],
    [
      'DELETE',
      /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/,
      (exchange, bucket, name) => this.#delete(exchange, bucket!, name!),
    ],
    [
      'POST',
      /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)\/restore$/,
      (exchange, bucket, name) => this.#restore(exchange, bucket!, name!),
    ],
    [
      'POST',
      /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)\/rewriteTo\/b\/([^/]+)\/o\/([^/]+)$/,
      (exchange, ...names) => this.#rewrite(exchange, names),
    ],
    // The XML interface, by which Google's client for Go reads.
    [
      'GET',
      /^\/([a-z0-9][a-z0-9._-]+)\/(.+)$/,
      (exchange, bucket, name) =>
        this.#getMedia(exchange, this.#bucket(exchange, bucket!, 'storage.objects.get'), name!),
    ],
  ];

  giveToken(): string {
    const token = `token-${randomBytes(16).toString('hex')}`;
    this.#tokens.add(token);
    this.tokensGiven++;
    return token;
  }

  expireTokens(): void {
    this.#tokens.clear();
  }

  dropUploads(): void {
    this.#uploads.clear();
  }

  async handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host}`);
    try {
      const method = incoming.method === 'HEAD' ? 'GET' : incoming.method;
      const route = this.#routes.find(([verb, path]) => verb === method && path.test(url.pathname));
      if (route === undefined) throw new GcsRefusal(404, 'notFound', 'Not Found');
      const [, path, handler] = route;
      if (!url.pathname.startsWith('/token')) this.#authenticate(incoming);
      const names = path.exec(url.pathname)!.slice(1).map(decodeURIComponent);
      await handler({ incoming, outgoing, url, query: url.searchParams }, ...names);
    } catch (error) {
      if (error instanceof GcsRefusal) refuse(incoming, outgoing, url, error);
      else if (incoming.errored || incoming.destroyed) outgoing.destroy();
      else refuse(incoming, outgoing, url, new GcsRefusal(500, 'internalError', String(error)));
    }
  }

  #authenticate({ headers }: IncomingMessage): void {
    if (this.isOpen) return;
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) {
      throw new GcsRefusal(
        401,
        'required',
        'Anonymous caller does not have access to the Google Cloud Storage object.',
      );
    }
    if (!this.#tokens.has(token)) throw new GcsRefusal(401, 'authError', 'Invalid Credentials');
  }

  async #giveToken({ incoming, outgoing }: Exchange): Promise<void> {
    const form = new URLSearchParams(await text(incoming));
    if (form.get('subject_token') !== SUBJECT) {
      answer(outgoing, 400, { error: 'invalid_grant', error_description: 'The subject token is not known.' });
      return;
    }
    const token = this.giveToken();
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
    answer(outgoing, 200, { access_token: token, issued_token_type, token_type: 'Bearer', expires_in: 3600 });
  }

  async #createBucket({ incoming, outgoing, query }: Exchange): Promise<void> {
    this.#allow('storage.buckets.create', 'project');
    const settings = JSON.parse(await text(incoming)) as BucketSettings;
    const project = query.get('project');
    if (project === null) throw new GcsRefusal(400, 'required', 'Required parameter: project');
    const known = this.buckets.get(settings.name);
    if (known !== undefined) {
      const isOurs = known.project === project;
      const mine = 'Your previous request to create the named bucket succeeded and you already own it.';
      const theirs = 'The requested bucket name is not available.';
      throw new GcsRefusal(409, 'conflict', isOurs ? mine : theirs);
    }
    const bucket = makeBucket(settings, project);
    if (query.get('enableObjectRetention') === 'true') bucket.objectRetention = { mode: 'Enabled' };
    this.buckets.set(bucket.name, bucket);
    answer(outgoing, 200, bucketResource(bucket));
  }

  #getBucket(exchange: Exchange, name: string): void {
    answer(exchange.outgoing, 200, bucketResource(this.#bucket(exchange, name, 'storage.buckets.get')));
  }

  async #patchBucket(exchange: Exchange, name: string): Promise<void> {
    const bucket = this.#bucket(exchange, name, 'storage.buckets.update');
    const { versioning, softDeletePolicy, billing } = JSON.parse(await text(exchange.incoming)) as Partial<Bucket>;
    Object.assign(
      bucket,
      versioning && { versioning },
      softDeletePolicy && { softDeletePolicy },
      billing && { billing },
    );
    bucket.metageneration++;
    answer(exchange.outgoing, 200, bucketResource(bucket));
  }

  #list(exchange: Exchange, name: string): void {
    const bucket = this.#bucket(exchange, name, 'storage.objects.list');
    const { objects, prefixes, nextPageToken } = listObjects(bucket, exchange.query);
    answer(exchange.outgoing, 200, {
      kind: 'storage#objects',
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
      ...(prefixes.length === 0 ? {} : { prefixes }),
      ...(objects.length === 0 ? {} : { items: objects.map((object) => resource(bucket, object)) }),
    });
  }

  #get(exchange: Exchange, bucketName: string, name: string): void {
    const bucket = this.#bucket(exchange, bucketName, 'storage.objects.get');
    if (exchange.query.get('alt') === 'media') this.#getMedia(exchange, bucket, name);
    else {
      const object = findObject(bucket, name, exchange.query);
      checkPreconditions(object, exchange.query);
      answer(exchange.outgoing, 200, resource(bucket, object));
    }
  }

  #getMedia({ incoming, outgoing, query }: Exchange, bucket: Bucket, name: string): void {
    const object = findObject(bucket, name, query);
    checkPreconditions(object, query);
    const { content, md5Hash, crc32c, generation, metageneration, storageClass, contentType } = object;
    const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(incoming.headers.range ?? '') ?? [];
    const start = from === '' ? 0 : Number(from);
    const end = to === '' ? content.length : Math.min(Number(to) + 1, content.length);
    if (from !== '' && start >= content.length) {
      throw new GcsRefusal(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable');
    }
    outgoing.writeHead(from === '' ? 200 : 206, {
      'Content-Type': contentType,
      'Content-Length': end - start,
      ...(from === '' ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${content.length}` }),
      'X-Goog-Hash': `crc32c=${crc32c},md5=${md5Hash}`,
      'X-Goog-Generation': generation,
      'X-Goog-Metageneration': metageneration,
      'X-Goog-Storage-Class': storageClass,
      'X-Goog-Stored-Content-Encoding': 'identity',
      'X-Goog-Stored-Content-Length': content.length,
      ETag: `"${generation}"`,
      'Last-Modified': new Date(object.updated).toUTCString(),
    });
    outgoing.end(incoming.method === 'HEAD' ? undefined : content.subarray(start, end));
  }

  async #insert(exchange: Exchange, bucketName: string): Promise<void> {
    const { incoming, outgoing, query } = exchange;
    const bucket = this.#bucket(exchange, bucketName, 'storage.objects.create');
    const kmsKeyName = query.get('kmsKeyName');
    switch (query.get('uploadType')) {
      case 'media': {
        const metadata = { name: query.get('name') ?? '', ...typeOf(incoming) };
        this.#allowReplacing(bucket, metadata.name);
        answer(
          outgoing,
          200,
          resource(bucket, addObject(bucket, metadata, await buffer(incoming), { query, kmsKeyName })),
        );
        return;
      }
      case 'multipart': {
        const { metadata, content } = readMultipart(incoming.headers['content-type'], await buffer(incoming), query);
        this.#allowReplacing(bucket, metadata.name);
        answer(outgoing, 200, resource(bucket, addObject(bucket, metadata, content, { query, kmsKeyName })));
        return;
      }
      case 'resumable':
        await this.#beginUpload(exchange, bucket);
        return;
      default:
        throw invalid('Upload requests must include an uploadType URL parameter.');
    }
  }

  async #beginUpload({ incoming, outgoing, url, query }: Exchange, bucket: Bucket): Promise<void> {
    const body = await text(incoming);
    const { headers } = incoming;
    const name = query.get('name');
    const metadata = { ...(name === null ? {} : { name }), ...(body === '' ? {} : JSON.parse(body)) } as ObjectMetadata;
    checkMetadata(bucket, metadata);
    this.#allowReplacing(bucket, metadata.name);
    checkPreconditions(liveObject(bucket, metadata.name), query);
    const length = headers['x-upload-content-length'];
    const sizeBytes = length === undefined ? undefined : Number(length);
    const id = randomBytes(24).toString('base64url');
    this.#uploads.set(id, { bucket, metadata, query, sizeBytes, received: Buffer.alloc(0) });
    const location = `${url.origin}${url.pathname}?uploadType=resumable&upload_id=${id}`;
    outgoing.writeHead(200, { Location: location, 'X-GUploader-UploadID': id, 'Content-Length': 0 }).end();
  }

  async #continueUpload({ incoming, outgoing, query }: Exchange): Promise<void> {
    const session = this.#uploads.get(query.get('upload_id') ?? '');
    if (session === undefined) throw new GcsRefusal(404, 'notFound', 'Not Found');
    const { bucket, metadata } = session;
    if (session.done !== undefined) return answer(outgoing, 200, resource(bucket, session.done));
    const range = /^bytes (?:\*|(\d+)-(\d+|\*))\/(\d+|\*)$/.exec(incoming.headers['content-range'] ?? 'bytes 0-*/*');
    if (range === null) throw invalid('Failed to parse Content-Range header.');
    const [, from, to, total] = range;
    const isAsking = from === undefined;
    if (total !== '*' && session.sizeBytes !== undefined && Number(total) !== session.sizeBytes) {
      throw invalid(`Upload request received a total of ${total}, expected ${session.sizeBytes}.`);
    }
    if (!isAsking && Number(from) > session.received.length) throw invalid('Invalid request. There is a gap.');
    if (!isAsking) await this.#receive(session, incoming, Number(from), to === '*' ? undefined : Number(to) + 1);
    const isWhole = isAsking
      ? Number(total) === session.received.length
      : total === '*'
        ? to === '*'
        : Number(total) === session.received.length;
    if (!isWhole) {
      const known = session.received.length === 0 ? {} : { Range: `bytes=0-${session.received.length - 1}` };
      outgoing.writeHead(308, { ...known, 'Content-Length': 0 }).end();
      return;
    }
    this.#allowReplacing(bucket, metadata.name);
    const options = { query: session.query, kmsKeyName: session.query.get('kmsKeyName') };
    session.done = addObject(bucket, metadata, session.received, options);
    answer(outgoing, 200, resource(bucket, session.done));
  }

  /** What came before a break is kept, but for what is no whole part. */
  async #receive(
    session: UploadSession,
    incoming: IncomingMessage,
    from: number,
    to: number | undefined,
  ): Promise<void> {
    const parts = [session.received.subarray(0, from)];
    try {
      for await (const part of incoming) parts.push(part as Buffer);
    } catch (error) {
      const received = Buffer.concat(parts);
      session.received = received.subarray(0, Math.max(from, received.length - (received.length % PART_BYTES)));
      throw error;
    }
    const received = Buffer.concat(parts);
    if (to !== undefined && received.length !== to)
      throw invalid('Invalid request. The length is not that of the range.');
    session.received = received;
  }

  async #patch(exchange: Exchange, bucketName: string, name: string): Promise<void> {
    const bucket = this.#bucket(exchange, bucketName, 'storage.objects.update');
    const patch = JSON.parse(await text(exchange.incoming)) as Partial<ObjectMetadata>;
    if ('retention' in patch) this.#allow('storage.objects.setRetention', bucketName);
    if (exchange.query.has('overrideUnlockedRetention'))
      this.#allow('storage.objects.overrideUnlockedRetention', bucketName);
    answer(exchange.outgoing, 200, resource(bucket, patchObject(bucket, name, patch, exchange.query)));
  }

  #delete(exchange: Exchange, bucketName: string, name: string): void {
    const bucket = this.#bucket(exchange, bucketName, 'storage.objects.delete');
    removeObject(bucket, name, exchange.query);
    exchange.outgoing.writeHead(204).end();
  }

  #restore(exchange: Exchange, bucketName: string, name: string): void {
    const bucket = this.#bucket(exchange, bucketName, 'storage.objects.restore');
    answer(exchange.outgoing, 200, resource(bucket, restoreObject(bucket, name, exchange.query)));
  }

  async #rewrite(
    exchange: Exchange,
    [fromBucket = '', fromName = '', toBucket = '', toName = '']: string[],
  ): Promise<void> {
    const { query, outgoing, incoming } = exchange;
    const to = this.#bucket(exchange, toBucket, 'storage.objects.create');
    this.#allowReplacing(to, toName);
    const generation = query.get('sourceGeneration');
    const from = findObject(
      this.#bucket(exchange, fromBucket, 'storage.objects.get'),
      fromName,
      new URLSearchParams(generation === null ? {} : { generation }),
    );
    const body = await text(incoming);
    const metadata = body === '' ? {} : (JSON.parse(body) as Partial<ObjectMetadata>);
    const object = copyObject(from, to, { ...metadata, name: toName }, query);
    const size = `${object.content.length}`;
    const counts = { totalBytesRewritten: size, objectSize: size, done: true };
    answer(outgoing, 200, { kind: 'storage#rewriteResponse', ...counts, resource: resource(to, object) });
  }

  #bucket({ query, incoming }: Exchange, name: string, permission: string): Bucket {
    const bucket = this.buckets.get(name);
    if (bucket === undefined) throw new GcsRefusal(404, 'notFound', 'The specified bucket does not exist.');
    const payer = query.get('userProject') ?? incoming.headers['x-goog-user-project'];
    if (bucket.billing?.requesterPays && payer === undefined) {
      const message = 'Bucket is a requester pays bucket but no user project provided.';
      throw new GcsRefusal(400, 'required', message);
    }
    this.#allow(permission, name);
    return bucket;
  }

  #allow(permission: string, on: string): void {
    if (!this.denied.has(permission)) return;
    const who = 'tests@tests.iam.gserviceaccount.com';
    const message = `${who} does not have ${permission} access to the Google Cloud Storage object. Permission '${permission}' denied on resource '${on}' (or it may not exist).`;
    throw new GcsRefusal(403, 'forbidden', message);
  }

  /** Who replaces an object removes what was there. */
  #allowReplacing(bucket: Bucket, name: string): void {
    if (liveObject(bucket, name) !== undefined) this.#allow('storage.objects.delete', bucket.name);
  }
}

function typeOf({ headers }: IncomingMessage): { contentType?: string } {
  const contentType = headers['content-type'];
  return contentType === undefined ? {} : { contentType };
}
