/** Servers that channels are delivered to, real ones: HTTP and SMTP, with TLS where that is asked for. */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { Certificates } from './certificates.ts';

/** What goes wrong before any protocol is spoken, as long as it is set. */
export type Breakage = 'silent' | 'closed' | 'garbage';

export interface HttpRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface HttpReceiver {
  /** Without a slash at its end. */
  url: string;
  /** Every request that came, in order. */
  requests: HttpRequest[];
  answer: { status: number; body?: string; headers?: Record<string, string> };
  breakage: Breakage | undefined;
  close(): Promise<void>;
}

/** @param tls the certificate of the server; without, it is http:// */
export async function startHttpReceiver(
  answer: HttpReceiver['answer'] = { status: 200 },
  tls?: Certificates,
): Promise<HttpReceiver> {
  const handle: RequestListener = (incoming, outgoing) => {
    void text(incoming).then((body) => {
      const { method = '', url: path = '', headers } = incoming;
      receiver.requests.push({ method, path, headers, body });
      const { status, body: said, headers: more } = receiver.answer;
      // What is kept open is the next test's, which may break it.
      outgoing.writeHead(status, { connection: 'close', ...more }).end(said);
    });
  };
  const behind = tls === undefined ? createHttpServer(handle) : createHttpsServer(keyPair(tls), handle);
  const front = await startFront(behind, () => receiver.breakage);
  const receiver: HttpReceiver = {
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${front.port}`,
    requests: [],
    answer,
    breakage: undefined,
    close: front.close,
  };
  return receiver;
}

export interface ReceivedMail {
  from: string;
  to: string[];
  /** Headers and body, as they came. */
  source: string;
  isSecure: boolean;
  user: string | undefined;
}

export interface MailServer {
  port: number;
  mails: ReceivedMail[];
  /** The reply to every recipient, where it is none that takes the mail; of one recipient alone where that is named. */
  refuse: { code: number; recipient?: string } | undefined;
  breakage: Breakage | undefined;
  close(): Promise<void>;
}

/** @param login who may send; anybody without */
export async function startMailServer(
  options: SMTPServerOptions = {},
  { login, tls }: { login?: { user: string; password: string }; tls?: Certificates } = {},
): Promise<MailServer> {
  const behind = new SMTPServer({
    ...(tls === undefined ? {} : keyPair(tls)),
    authOptional: login === undefined,
    disableReverseLookup: true,
    onAuth({ username, password }, _session, done) {
      if (username === login?.user && password === login?.password) done(null, { user: username });
      else done(new Error(`nobody called ${username} with ${password}`));
    },
    onRcptTo({ address }, _session, done) {
      const { refuse } = server;
      if (refuse === undefined || (refuse.recipient ?? address) !== address) return done();
      done(Object.assign(new Error('not now or never'), { responseCode: refuse.code }));
    },
    onData(stream, { envelope, secure, user }, done) {
      void text(stream).then((source) => {
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        const to = envelope.rcptTo.map(({ address }) => address);
        server.mails.push({ from, to, source, isSecure: secure, user: user as string | undefined });
        done();
      });
    },
    ...options,
  });
  behind.on('error', () => {});
  const front = await startFront(behind, () => server.breakage);
  const server: MailServer = {
    port: front.port,
    mails: [],
    refuse: undefined,
    breakage: undefined,
    close: front.close,
  };
  return server;
}

function keyPair({ certificate, key }: Certificates): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certificate), key: readFileSync(key) };
}

interface Listening {
  listen(port: number, host: string, done: () => void): unknown;
  close(done: () => void): unknown;
}

/** A server of bytes before the one that is meant, which goes wrong where it is told to. */
async function startFront(
  behind: Listening & (Server | SMTPServer),
  breakage: () => Breakage | undefined,
): Promise<{ port: number; close(): Promise<void> }> {
  await new Promise<void>((done) => behind.listen(0, '127.0.0.1', done));
  const inner = behind instanceof SMTPServer ? behind.server : behind;
  const { port: behindPort } = inner.address() as AddressInfo;
  const sockets = new Set<{ destroy(): unknown }>();
  const front = createServer((socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    const how = breakage();
    if (how === 'closed') return void socket.destroy();
    if (how === 'garbage') return void socket.end('what is this?\r\n\r\n');
    if (how === 'silent') return;
    const onward = connect(behindPort, '127.0.0.1');
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
  return {
    port: (front.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((done) => front.close(() => done())),
        new Promise<void>((done) => behind.close(() => done())),
      ]);
    },
  };
}
