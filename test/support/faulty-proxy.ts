/** An HTTP server in front of another one, which passes everything on and goes wrong where a rule says so. */

import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface ProxiedCall {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
}

export type Mishap =
  /** Answers so, and the server behind hears nothing of it. */
  | { answer: { status: number; headers?: Record<string, string>; body?: string } }
  /** The server behind has done it, but the answer is this. */
  | { answerAfterwards: { status: number; body?: string } }
  /** The connection breaks while the request comes, after so many bytes of its body. */
  | { breakRequestAfter: number }
  /** The same, and the server behind has had these bytes when its connection breaks too. */
  | { breakRequestBehindAfter: number }
  /** The connection breaks after so many bytes of the answer's body; with -1, before the answer. */
  | { breakAnswerAfter: number }
  /** The answer's body has so many bytes less, and its length says so. */
  | { shortenBy: number }
  /** What comes is not HTTP. */
  | 'nonsense'
  /** A byte of the body is another one on its way. */
  | { flip: 'request' | 'answer' }
  /** Nothing comes. */
  | 'silence';

export interface FaultyProxy {
  endpoint: string;
  /** Every call that came, in order. */
  calls: ProxiedCall[];
  /** May be changed at any time. @param index how many calls came before */
  rule: (call: ProxiedCall, index: number) => Mishap | undefined;
  close(): Promise<void>;
}

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const server = createServer((incoming, outgoing) => {
    void handle(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error as Error));
  });
  const proxy: FaultyProxy = {
    endpoint: '',
    calls: [],
    rule: () => undefined,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const call = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers };
    const mishap = proxy.rule(call, proxy.calls.length);
    proxy.calls.push(call);
    if (mishap === 'silence') return;
    if (mishap === 'nonsense') return void incoming.socket.end('this is not HTTP\r\n\r\n');
    if (mishap !== undefined && 'breakRequestAfter' in mishap) return breakRequest(incoming, mishap.breakRequestAfter);
    if (mishap !== undefined && 'breakRequestBehindAfter' in mishap) {
      return breakRequestBehind(target, incoming, mishap.breakRequestBehindAfter);
    }
    const body = await buffer(incoming);
    if (mishap !== undefined && 'answer' in mishap) {
      outgoing.writeHead(mishap.answer.status, mishap.answer.headers).end(mishap.answer.body);
      return;
    }
    const isAltered = mishap !== undefined && 'flip' in mishap && mishap.flip === 'request';
    const answer = await passOn(target, incoming, isAltered ? flipped(body) : body);
    answerWith(outgoing, answer, mishap);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}

interface Answer {
  status: number;
  /** As they came, names and values in turn. */
  headers: string[];
  body: Buffer;
}

function passOn(target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...incoming.headers };
    delete headers.expect;
    const options = { method: incoming.method ?? 'GET', headers };
    const outgoing = request(`${target}${incoming.url}`, options, (answer) => {
      buffer(answer).then(
        (answered) => resolve({ status: answer.statusCode ?? 0, headers: answer.rawHeaders, body: answered }),
        reject,
      );
    });
    outgoing.on('error', reject).end(body);
  });
}

function answerWith(outgoing: ServerResponse, { status, headers, body }: Answer, mishap: Mishap | undefined): void {
  if (mishap === undefined || typeof mishap === 'string') {
    outgoing.writeHead(status, headers).end(body);
  } else if ('answerAfterwards' in mishap) {
    outgoing.writeHead(mishap.answerAfterwards.status).end(mishap.answerAfterwards.body);
  } else if ('breakAnswerAfter' in mishap) {
    if (mishap.breakAnswerAfter < 0) outgoing.destroy();
    else outgoing.writeHead(status, headers).write(body.subarray(0, mishap.breakAnswerAfter), () => outgoing.destroy());
  } else if ('shortenBy' in mishap) {
    const short = body.subarray(0, Math.max(0, body.length - mishap.shortenBy));
    const length = /^(?:content-length|transfer-encoding)$/i;
    const others = headers.filter((_, index) => !length.test(headers[index - (index % 2)] ?? ''));
    outgoing.writeHead(status, [...others, 'content-length', `${short.length}`]).end(short);
  } else {
    outgoing.writeHead(status, headers).end('flip' in mishap && mishap.flip === 'answer' ? flipped(body) : body);
  }
}

function breakRequest(incoming: IncomingMessage, afterBytes: number): void {
  let seen = 0;
  if (afterBytes === 0) incoming.destroy();
  incoming.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen >= afterBytes) incoming.destroy();
  });
}

function breakRequestBehind(target: string, incoming: IncomingMessage, afterBytes: number): void {
  const { method = '', headers } = incoming;
  const outgoing = request(`${target}${incoming.url}`, { method, headers });
  const breakBoth = () => {
    outgoing.destroy();
    incoming.socket.destroy();
  };
  outgoing.on('error', breakBoth);
  let passed = 0;
  incoming.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, afterBytes - passed);
    passed += part.length;
    if (part.length > 0) outgoing.write(part, passed < afterBytes ? undefined : breakBoth);
  });
}

function flipped(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  if (copy.length > 0) copy[copy.length >> 1]! ^= 1;
  return copy;
}
