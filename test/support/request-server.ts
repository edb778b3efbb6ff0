/** A server over HTTP that remembers what it was asked, and answers as a test says. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** What it does with a request: an answer, or nothing at all. */
export type Answer = { status: number; body?: string; headers?: Record<string, string> } | 'silent';

export interface RequestServer {
  url: string;
  asked: Asked[];
  /** By path; 200 with `{"ok":true}` for others. */
  answers: Map<string, Answer | ((asked: Asked) => Answer)>;
  close(): Promise<void>;
}

export async function startRequestServer(): Promise<RequestServer> {
  const asked: Asked[] = [];
  const answers: RequestServer['answers'] = new Map();
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = '', url: path = '', headers } = request;
    const one = { method, path, headers, body: Buffer.concat(parts).toString('utf8') };
    asked.push(one);
    const planned = answers.get(path) ?? { status: 200, body: '{"ok":true}' };
    const answer = typeof planned === 'function' ? planned(one) : planned;
    if (answer === 'silent') return;
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answers,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
