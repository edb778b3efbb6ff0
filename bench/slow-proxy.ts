/**
 * A store as it is from far away: `node slow-proxy.ts PORT ROUND_TRIP_MS [LOG]` passes every connection on to that port of
 * this machine, everything half a round trip later in either direction and a first byte after the round trip that opening a
 * connection takes. It holds back neither bytes nor connections. It counts the HTTP requests that pass.
 *
 * Prints one line of JSON, `{ port, controlPort }`. A request to the control port answers with the counts since the last
 * such request: `Traffic`. With LOG, a line for each request goes to that file once it is over: when it began and when the
 * last of its answer came, as the client sees it, in milliseconds; its connection; the bytes of its answer; the request.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer as createControl } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Traffic {
  /** By method; `LIST` for a listing, which is a GET without an object. */
  requests: Record<string, number>;
  connections: number;
  /** Of requests, and of answers. */
  sentBytes: number;
  receivedBytes: number;
}

const NOTHING = { connections: 0, sentBytes: 0, receivedBytes: 0 };
/** Only where a receiver is slower than the sender: the rest waits with the sender, as it would behind a full line. */
const MOST_UNWRITTEN_BYTES = 64 * 2 ** 20;

let traffic: Traffic = { ...NOTHING, requests: {} };

/** Passes bytes on, each `delayMs` after it came. */
class DelayLine {
  readonly #to: Socket;
  readonly #delayMs: number;
  readonly #waiting: { bytes: Buffer | undefined; dueMs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, { delayMs, openedMs }: { delayMs: number; openedMs: number }) {
    this.#to = to;
    this.#delayMs = delayMs;
    const take = (bytes: Buffer | undefined): void => {
      this.#waiting.push({ bytes, dueMs: Math.max(performance.now(), openedMs) + this.#delayMs });
      this.#arm();
    };
    from.on('data', (bytes: Buffer) => {
      take(bytes);
      if (to.writableLength < MOST_UNWRITTEN_BYTES) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => take(undefined));
    from.on('error', () => to.destroy());
    from.on('close', (hadError) => {
      if (hadError) to.destroy();
    });
  }

  #arm(): void {
    const first = this.#waiting[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#release(), Math.max(0, first.dueMs - performance.now()));
  }

  #release(): void {
    this.#timer = undefined;
    // A timer counts whole milliseconds.
    const nowMs = performance.now() + 0.5;
    this.#to.cork();
    while (this.#waiting[0] !== undefined && this.#waiting[0].dueMs <= nowMs) {
      const { bytes } = this.#waiting.shift()!;
      if (bytes === undefined) this.#to.end();
      else if (!this.#to.destroyed) this.#to.write(bytes);
    }
    this.#to.uncork();
    this.#arm();
  }
}

/** The request that is under way on a connection, and when its answer came so far: no client sends the next before that. */
class RequestLog {
  readonly #file: string;
  readonly #connection: number;
  readonly #delayMs: number;
  #underWay: { line: string; beganMs: number; endedMs: number; answerBytes: number } | undefined;

  constructor(file: string, { connection, delayMs }: { connection: number; delayMs: number }) {
    this.#file = file;
    this.#connection = connection;
    this.#delayMs = delayMs;
  }

  began(line: string): void {
    this.over();
    const nowMs = performance.now();
    this.#underWay = { line, beganMs: nowMs, endedMs: nowMs, answerBytes: 0 };
  }

  answered(bytes: Buffer): void {
    if (this.#underWay === undefined) return;
    this.#underWay.endedMs = performance.now() + this.#delayMs;
    this.#underWay.answerBytes += bytes.length;
  }

  over(): void {
    if (this.#underWay === undefined) return;
    const { line, beganMs, endedMs, answerBytes } = this.#underWay;
    const fields = [Math.round(beganMs), Math.round(endedMs), this.#connection, answerBytes, line];
    appendFileSync(this.#file, `${fields.join(' ')}\n`);
    this.#underWay = undefined;
  }
}

/** Finds the requests in what a client sends on one connection. */
class RequestCounter {
  readonly #onRequest: (line: string) => void;
  #head = '';
  #bodyBytes = 0;

  constructor(onRequest: (line: string) => void) {
    this.#onRequest = onRequest;
  }

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#bodyBytes > 0) {
        const skipped = Math.min(this.#bodyBytes, bytes.length - at);
        this.#bodyBytes -= skipped;
        at += skipped;
        continue;
      }
      const before = this.#head.length;
      const text = this.#head + bytes.subarray(at).toString('latin1');
      const end = text.indexOf('\r\n\r\n', Math.max(0, before - 3));
      if (end < 0) {
        this.#head = text;
        return;
      }
      at += end + 4 - before;
      this.#head = '';
      this.#take(text.slice(0, end));
    }
  }

  #take(head: string): void {
    if (/^transfer-encoding:/im.test(head)) throw new Error(`a body of unknown length: ${head}`);
    this.#bodyBytes = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    this.#onRequest(head.slice(0, head.indexOf('\r\n')));
  }
}

function methodOf(line: string): string {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', query = ''] = target.split('?');
  const isOfBucket = path.split('/').filter((part) => part !== '').length < 2;
  return method === 'GET' && (isOfBucket || /(?:^|&)(?:list-type|prefix)=/.test(query)) ? 'LIST' : method;
}

function serve(targetPort: number, roundTripMs: number, log: string | undefined): void {
  const delayMs = roundTripMs / 2;
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    traffic.connections++;
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    client.setNoDelay(true);
    const requests = log === undefined ? undefined : new RequestLog(log, { connection: ++connections, delayMs });
    const counter = new RequestCounter((line) => {
      const method = methodOf(line);
      traffic.requests[method] = (traffic.requests[method] ?? 0) + 1;
      requests?.began(line);
    });
    client.on('data', (bytes: Buffer) => {
      traffic.sentBytes += bytes.length;
      counter.take(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      traffic.receivedBytes += bytes.length;
      requests?.answered(bytes);
    });
    upstream.on('close', () => requests?.over());
    const openedMs = performance.now() + roundTripMs;
    new DelayLine(client, upstream, { delayMs, openedMs });
    new DelayLine(upstream, client, { delayMs, openedMs: 0 });
  });
  const control = createControl((_request, answer) => {
    // Long may pass until the next one.
    answer.writeHead(200, { connection: 'close' }).end(JSON.stringify(traffic));
    traffic = { ...NOTHING, requests: {} };
  });
  server.listen(0, '127.0.0.1', () => {
    control.listen(0, '127.0.0.1', () => {
      const [port, controlPort] = [server, control].map((each) => (each.address() as AddressInfo).port);
      console.log(JSON.stringify({ port, controlPort }));
    });
  });
}

export interface SlowProxy {
  endpoint: string;
  pid: number;
  /** What passed since this was asked last. */
  traffic(): Promise<Traffic>;
  stop(): void;
}

/** Starts this module as a process, so that it answers while whoever measures waits. */
export async function startSlowProxy(target: string, roundTripMs: number, log?: string): Promise<SlowProxy> {
  const words = [fileURLToPath(import.meta.url), new URL(target).port, `${roundTripMs}`, ...(log ? [log] : [])];
  const child: ChildProcess = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout!).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the proxy ended with ${code}`)));
  });
  const { port, controlPort } = JSON.parse(line) as { port: number; controlPort: number };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    traffic: async () => (await (await fetch(`http://127.0.0.1:${controlPort}`)).json()) as Traffic,
    stop: () => void child.kill(),
  };
}

const [, script, port, roundTripMs, log] = process.argv;
if (script === fileURLToPath(import.meta.url)) serve(Number(port), Number(roundTripMs), log);
