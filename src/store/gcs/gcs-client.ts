import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Storage } from '@google-cloud/storage';

/** A bucket, what the names in it begin with, and how it is reached. */
export interface GcsStoreOptions {
  bucket: string;
  /** Without a `/` at its ends; may be empty. */
  prefix: string;
  /** The URL of the service; without it, Google's own, or that of STORAGE_EMULATOR_HOST. */
  endpoint?: string;
  /** The project that a new bucket belongs to; without it, the one of the credentials. */
  project?: string;
  /** Where a new bucket lies; without it, where Google puts it. */
  location?: string;
  /** The project that pays for requests to a bucket whose requester pays. */
  userProject?: string;
  /** The key that the service encrypts objects with: projects/…/locations/…/keyRings/…/cryptoKeys/… */
  kmsKeyName?: string;
  /** For bulk content. */
  storageClass?: string;
  /** How long a connection may give no byte. */
  idleTimeoutMs?: number;
  /** How many objects are listed at once; without it, as many as the service likes. */
  listPageSize?: number;
  /** From this size on a broken upload is continued, at the price of one request more. */
  resumableFromBytes?: number;
}

export interface GcsRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the endpoint, beginning with `/`; or the whole URL that the service gave for an upload. */
  path: string;
  /** What is undefined is left out. */
  query?: Readonly<Record<string, string | undefined>>;
  headers?: Readonly<Record<string, string>>;
  body?: GcsBody;
}

export interface GcsBody {
  sizeBytes: number;
  /** Asked for once. */
  chunks: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** A body of JSON, with the header that says so. */
export function jsonBody(value: object): Pick<GcsRequest, 'headers' | 'body'> {
  const json = Buffer.from(JSON.stringify(value));
  return {
    headers: { 'Content-Type': 'application/json; charset=UTF-8' },
    body: { sizeBytes: json.length, chunks: () => [json] },
  };
}

export interface GcsAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: IncomingMessage;
}

/** Google's libraries found no credentials, or none that are good any more; the message says why. */
export class CredentialsError extends Error {
  override name = 'CredentialsError';
}

/** In the place of a project that is not asked for. */
const UNASKED = 'unasked';
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

/**
 * The JSON interface of Cloud Storage, with the endpoint, the credentials and their renewal as Google's client has them.
 * Requests are made here and not by its own objects: those have no limit for a connection that says nothing, close the
 * connections of all other downloads when one breaks, and forget an upload that was begun when they may not repeat it.
 */
export class GcsClient {
  readonly endpoint: string;
  readonly #storage: Storage;
  readonly #isAnonymous: boolean;
  readonly #idleTimeoutMs: number;
  readonly #agents: { http: HttpAgent; https: HttpsAgent };

  constructor({ endpoint, idleTimeoutMs = IDLE_TIMEOUT_MS }: GcsStoreOptions) {
    this.#storage = new Storage({
      ...(endpoint === undefined ? {} : { apiEndpoint: endpoint }),
      // Else it would ask, before the first request, whose project the credentials are of: none needs that, and not all may.
      projectId: UNASKED,
    });
    this.endpoint = (endpoint ?? this.#storage.apiEndpoint).replace(/\/+$/, '');
    this.#isAnonymous = endpoint === undefined && this.#storage.customEndpoint;
    this.#idleTimeoutMs = idleTimeoutMs;
    // How many requests there are at once is decided above.
    const options = { keepAlive: true, proxyEnv: process.env };
    this.#agents = { http: new HttpAgent(options), https: new HttpsAgent(options) };
  }

  /** The project of the credentials. @throws CredentialsError where they name none */
  async project(): Promise<string> {
    try {
      return await new Storage().getProjectId();
    } catch (cause) {
      throw new CredentialsError((cause as Error).message, { cause });
    }
  }

  /**
   * Makes one request and hands over whatever is answered, whose body is still to be read.
   * @throws CredentialsError; the system's errors where no answer came
   */
  async send({ method, path, query = {}, headers = {}, body }: GcsRequest): Promise<GcsAnswer> {
    const url = new URL(path.startsWith('/') ? `${this.endpoint}${path}` : path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const all = {
      ...(await this.#authorization(url)),
      ...headers,
      ...(body === undefined && method === 'GET' ? {} : { 'Content-Length': `${body?.sizeBytes ?? 0}` }),
    };
    const answer = await this.#exchange(url, method, all, body);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: answer };
  }

  async #authorization(url: URL): Promise<Record<string, string>> {
    // What the service gives as the place of an upload is a secret of its own, and may be anywhere.
    if (this.#isAnonymous || url.origin !== new URL(this.endpoint).origin) return {};
    try {
      return Object.fromEntries(await this.#storage.authClient.getRequestHeaders(url));
    } catch (cause) {
      throw new CredentialsError((cause as Error).message, { cause });
    }
  }

  #exchange(url: URL, method: string, headers: Record<string, string>, body?: GcsBody): Promise<IncomingMessage> {
    const isPlain = url.protocol === 'http:';
    const idleMs = this.#idleTimeoutMs;
    return new Promise((resolve, reject) => {
      const timeout = Math.min(CONNECT_TIMEOUT_MS, idleMs);
      const outgoing = isPlain
        ? requestHttp(url, { method, headers, timeout, agent: this.#agents.http })
        : requestHttps(url, { method, headers, timeout, agent: this.#agents.https });
      outgoing.on('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => outgoing.setTimeout(idleMs));
        else outgoing.setTimeout(idleMs);
      });
      outgoing.on('timeout', () => outgoing.destroy(new TimeoutError(`nothing was heard of ${url.host} in time`)));
      outgoing.on('response', (answer) => {
        // Who refuses need not hear the rest.
        answer.on('end', () => outgoing.writableFinished || outgoing.destroy());
        resolve(answer);
      });
      outgoing.on('error', reject);
      if (body === undefined) outgoing.end();
      else pipeline(Readable.from(body.chunks()), outgoing).catch(reject);
    });
  }
}

class TimeoutError extends Error {
  override name = 'TimeoutError';
}
