import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import { refusalOf, refuseUnread } from './guard.ts';
import type { ListenAddress } from './listen-address.ts';
import { readTls, type TlsFiles } from './tls.ts';
import type { Answers } from './waiting.ts';

/** What a client may take of the server. Times in milliseconds. */
export interface ServerLimits {
  /** All headers of a request together. */
  headerBytes: number;
  headersMs: number;
  /** A whole request, with its body. */
  requestMs: number;
  /** Without a byte in either direction: who does not read its answer as well. */
  idleMs: number;
  keepAliveMs: number;
  connections: number;
  /** How often connections are looked at. */
  checkMs: number;
  /** What is under way when the server is closed has so long to end. */
  closeMs: number;
}

export const LIMITS: ServerLimits = {
  headerBytes: 16 << 10,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  keepAliveMs: 5_000,
  connections: 256,
  checkMs: 2_000,
  closeMs: 10_000,
};

export interface ListenOptions {
  address: ListenAddress;
  tls?: TlsFiles;
  limits?: ServerLimits;
}

/** The API, listening. */
export interface ApiServer {
  url: string;
  /** Reads certificate and key again; connections that stand keep theirs. @throws as `readTls`: then the old ones stay */
  reloadTls(): Promise<void>;
  /** Takes no more connections, lets what is under way end, and ends what does not. */
  close(): Promise<void>;
}

/** @throws address-unavailable where the address cannot be listened on; as `readTls` */
export async function listen(answers: Answers, options: ListenOptions): Promise<ApiServer> {
  const { address, tls, limits = LIMITS } = options;
  const server = await createLimitedServer(tls, limits);
  // The globals stay as they are: other libraries in this process use them.
  const answer = getRequestListener(answers.fetch as never, { overrideGlobalObjects: false });
  const guarded = (request: IncomingMessage, response: ServerResponse): void => {
    const refusal = refusalOf(request, address);
    if (refusal === undefined) void answer(request, response);
    else refuseUnread(request, refusal);
  };
  server.on('request', guarded);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // Who asks before sending what is refused is not told to go on.
    if (refusalOf(request, address) === undefined) response.writeContinue();
    guarded(request, response);
  });
  await begin(server, address);
  const { port, family, address: bound } = server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${bound}]` : bound;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    reloadTls: async () => {
      if (tls !== undefined) (server as TlsServer).setSecureContext(await readTls(tls));
    },
    close: () => close(server, limits.closeMs),
  };
}

async function createLimitedServer(tls: TlsFiles | undefined, limits: ServerLimits): Promise<Server | TlsServer> {
  const options: ServerOptions = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.checkMs,
    requireHostHeader: true,
    insecureHTTPParser: false,
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createTlsServer({ ...options, handshakeTimeout: limits.headersMs, ...(await readTls(tls)) });
  server.maxConnections = limits.connections;
  server.setTimeout(limits.idleMs);
  return server;
}

async function begin(server: Server, { host, port }: ListenAddress): Promise<void> {
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (cause) {
    throw new HoldfastError('address-unavailable', `${host}:${port} cannot be listened on: ${messageOf(cause)}`, {
      hint: 'Choose another address with --listen, or end what has this one.',
      cause,
    });
  }
}

async function close(server: Server, waitMs: number): Promise<void> {
  const closed = once(server, 'close');
  const waiting = new AbortController();
  server.close();
  server.closeIdleConnections();
  await Promise.race([closed, settled(pauseUntilAborted(waiting.signal)(waitMs))]);
  waiting.abort();
  server.closeAllConnections();
  await closed;
}
