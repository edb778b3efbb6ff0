import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { createApi } from './api.ts';
import { assertProtected, isLoopbackName, parseListenAddress } from './listen-address.ts';
import { type ApiServer, LIMITS, listen } from './server.ts';

const FEW = { ...LIMITS, connections: 4 };
const IMPATIENT = { ...LIMITS, headersMs: 150, requestMs: 300, idleMs: 400, checkMs: 25 };

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ limits: FEW });
});

afterAll(() => api.close());

/** What the server says to bytes, until it ends the connection; undefined for what was not taken of them. */
function say(...parts: (string | Buffer)[]): Promise<{ said: string; sentBytes: number }> {
  return sayTo(api.server, ...parts);
}

async function sayTo({ url }: Pick<ApiServer, 'url'>, ...parts: (string | Buffer)[]) {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  let said = '';
  let sentBytes = 0;
  socket.on('data', (bytes) => {
    said += bytes.toString('latin1');
  });
  const closed = new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  for (const part of parts) {
    if (socket.destroyed || said !== '') break;
    const isTaken = new Promise<void>((resolve) => socket.write(part, () => resolve()));
    await Promise.race([isTaken, closed]);
    sentBytes = socket.bytesWritten - socket.writableLength;
    await setTimeout(0);
  }
  await closed;
  return { said, sentBytes };
}

const head = (line: string, ...headers: string[]): string => [line, ...headers, '', ''].join('\r\n');
const POST = 'POST /api/v1/runs HTTP/1.1';

describe('the server', () => {
  it('refuses a body of 100 MB before it comes, and does not read it', async () => {
    const length = 100 << 20;
    const start = head(POST, 'Host: localhost', `Content-Length: ${length}`);
    const pieces = new Array<Buffer>(100).fill(Buffer.alloc(1 << 20));
    const { said, sentBytes } = await say(start, ...pieces);
    expect(said).toMatch(/^HTTP\/1\.1 413 .*"code":"too-large"/s);
    expect(sentBytes).toBeLessThan(20 << 20);
    const asking = await say(head(POST, 'Host: localhost', `Content-Length: ${length}`, 'Expect: 100-continue'));
    expect(asking.said).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('refuses a header of a megabyte, and goes on', async () => {
    const { said } = await say(head('GET /api/v1/plan HTTP/1.1', 'Host: localhost', `X-Long: ${'x'.repeat(1 << 20)}`));
    expect(said).toMatch(/^(HTTP\/1\.1 431 |$)/);
    expect((await api.call('/api/v1/plan', { as: 'viewer' })).status).toBe(200);
  });

  it('waits for neither headers nor a body that come byte by byte', async () => {
    const { application } = createApi(api.context);
    const server = await listen(application, { address: { host: '127.0.0.1', port: 0 }, limits: IMPATIENT });
    expect((await sayTo(server, 'GET / HTTP/1.1\r\nHost: localhost\r\nX: ')).said).toMatch(/^(HTTP\/1\.1 408 |$)/);
    const authorized = `Authorization: Bearer ${api.tokens.operator}`;
    const body = head(POST, 'Host: localhost', 'Content-Type: application/json', 'Content-Length: 20', authorized);
    expect((await sayTo(server, body, '{"task"')).said).not.toMatch(/^HTTP\/1\.1 2/);
    await server.close();
  });

  it.each([
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6'], 400],
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], 400],
    ['chunks', ['Transfer-Encoding: chunked'], 411],
    ['a transfer encoding that hides', ['Transfer-Encoding: xchunked'], 411],
    ['a length with a sign', ['Content-Length: +5'], 400],
    ['no host', [], 400],
  ])('takes no request with %s', async (what, headers, status) => {
    const host = what === 'no host' ? [] : ['Host: localhost'];
    const { said } = await say(`${head(POST, ...host, ...headers)}hello`);
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    // Nothing behind it is taken for another request.
    expect(said.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it.each([
    '/../../../etc/passwd',
    '/api/v1/../../../../etc/passwd',
    '/api/v1/sources/..%2f..%2f..%2fetc%2fpasswd/history',
    '/api/v1/tokens/%2e%2e%2f%2e%2e',
    '//etc/passwd',
    '/%00',
    '/api/v1/plan/%c0%ae%c0%ae/',
  ])('finds nothing at %s', async (path) => {
    const auth = `Authorization: Bearer ${api.tokens.admin}`;
    const { said } = await say(head(`GET ${path} HTTP/1.1`, 'Host: localhost', auth, 'Connection: close'));
    expect(said).toMatch(/^HTTP\/1\.1 (400|404|405) /);
    expect(said).not.toContain('root:');
  });

  it('answers on the loopback to names of it alone', async () => {
    const asked = (host: string) => say(head('GET /api/v1/plan HTTP/1.1', `Host: ${host}`, 'Connection: close'));
    expect((await asked('evil.example')).said).toMatch(/^HTTP\/1\.1 421 .*"code":"misdirected"/s);
    expect((await asked('127.0.0.1.evil.example:80')).said).toMatch(/^HTTP\/1\.1 421 /);
    for (const name of ['localhost', 'LOCALHOST:99', '127.0.0.1', '[::1]:8787']) {
      expect((await asked(name)).said).toMatch(/^HTTP\/1\.1 401 /);
    }
  });

  it('lets no other page in, says what a browser may do with an answer, and keeps nothing', async () => {
    const { headers } = await api.call('/api/v1/plan', { as: 'viewer', headers: { Origin: 'https://evil.example' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('takes no more connections than it bears', async () => {
    const { port } = new URL(api.server.url);
    const sockets = Array.from({ length: 12 }, () => connect(Number(port), '127.0.0.1'));
    let open = sockets.length;
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.on('close', () => open--);
    }
    await expect.poll(() => open).toBeLessThanOrEqual(FEW.connections);
    for (const socket of sockets) socket.destroy();
  });

  it('says where it cannot listen', async () => {
    const { application } = createApi(api.context);
    const address = { host: '127.0.0.1', port: Number(new URL(api.server.url).port) };
    await expect(listen(application, { address })).rejects.toMatchObject({ code: 'address-unavailable', exitCode: 1 });
  });

  it('lets a call that is under way end when it is closed', async () => {
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<string>();
    const start = () => {
      begun.resolve();
      return released.promise;
    };
    const { application } = createApi({ ...api.context, daemon: { ...api.context.daemon, start } });
    const limits = { ...LIMITS, closeMs: 3_600_000 };
    const server = await listen(application, { address: { host: '127.0.0.1', port: 0 }, limits });
    const headers = { Authorization: `Bearer ${api.tokens.operator}`, 'Content-Type': 'application/json' };
    const body = JSON.stringify({ task: 'backup:files' });
    const answered = fetch(`${server.url}/api/v1/runs`, { method: 'POST', headers, body });
    await begun.promise;
    const closed = server.close();
    released.resolve('job');
    expect(await (await answered).json()).toEqual({ task: 'backup:files', job: 'job' });
    await closed;
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  it('ends a call that does not end when it is closed', async () => {
    const { application } = createApi(api.context);
    const limits = { ...LIMITS, closeMs: 100 };
    const server = await listen(application, { address: { host: '127.0.0.1', port: 0 }, limits });
    const hanging = connect(Number(new URL(server.url).port), '127.0.0.1');
    hanging.on('error', () => hanging.destroy());
    const ended = new Promise((resolve) => hanging.once('close', resolve));
    const said = new Promise((resolve) => hanging.once('data', (bytes) => resolve(String(bytes))));
    const role = [`Authorization: Bearer ${api.tokens.operator}`, 'Content-Type: application/json'];
    hanging.write(head(POST, 'Host: localhost', ...role, 'Content-Length: 5', 'Expect: 100-continue'));
    // The server waits for the rest.
    expect(await said).toMatch(/^HTTP\/1.1 100 /);
    await server.close();
    await ended;
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });
});

describe('TLS', () => {
  function certificate(directory: string, name: string): { certPath: string; keyPath: string } {
    const [certPath, keyPath] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', [...words, '-subj', `/CN=${name}`, '-out', certPath, '-keyout', keyPath], {
      stdio: 'pipe',
    });
    return { certPath, keyPath };
  }

  it('is served with a certificate that is read anew, of TLS 1.2 at least', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tls-'));
    const tls = certificate(directory, 'first');
    const server = await listen(createApi(api.context).application, { address: { host: '127.0.0.1', port: 0 }, tls });
    const port = Number(new URL(server.url).port);
    const nameOf = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        }).on('error', reject);
      });
    expect(server.url).toMatch(/^https:/);
    expect(await nameOf()).toBe('first');
    certificate(directory, 'second');
    await server.reloadTls();
    expect(await nameOf()).toBe('second');
    await expect(server.reloadTls().then(() => listenWith('missing.pem'))).rejects.toMatchObject({
      code: 'secret-unavailable',
    });
    await expect(listenWith('key.pem')).rejects.toMatchObject({ code: 'bad-usage' });
    const status = await new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', path: '/api/v1/plan', rejectUnauthorized: false };
      request(options, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(401);
    await server.close();

    function listenWith(cert: string) {
      const files = { certPath: join(directory, cert), keyPath: tls.keyPath };
      return listen(createApi(api.context).application, { address: { host: '127.0.0.1', port: 0 }, tls: files });
    }
  });

  it('is asked for beyond this machine, unless somebody says that it need not be', () => {
    const beyond = parseListenAddress('0.0.0.0:8787');
    expect(() => assertProtected(beyond, { hasTls: false, insecure: false })).toThrow(/without TLS/);
    assertProtected(beyond, { hasTls: true, insecure: false });
    assertProtected(beyond, { hasTls: false, insecure: true });
    for (const text of ['127.0.0.1:1', 'localhost:80', '[::1]:8787']) {
      assertProtected(parseListenAddress(text), { hasTls: false, insecure: false });
    }
    for (const text of ['', '8787', 'host', 'host:', 'host:99999', ':80', '::1:80', '[host]:80']) {
      expect(() => parseListenAddress(text)).toThrow(/no address/);
    }
    expect(isLoopbackName('127.0.0.1.evil.example')).toBe(false);
  });
});
